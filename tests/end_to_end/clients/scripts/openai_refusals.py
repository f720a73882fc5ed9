"""The `openai` package where nothing is to be called, and where a request is refused."""

import json
import sys

from openai import NotFoundError, OpenAI, UnprocessableEntityError

chat = OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused").chat.completions
MORNING = {"role": "user", "content": "Good morning! How are you?"}
NO_NUMBER = {"role": "user", "content": "Where is order 12?"}


def refusal(error: type[Exception], **changed: object) -> str:
    """What the gateway says against a request."""
    try:
        chat.create(**{"model": "support", "messages": [MORNING], **changed})
    except error as exc:
        return exc.body["message"]
    return "accepted"


seen = {
    "chat": chat.create(model="support", messages=[MORNING]).choices[0].to_dict(),
    "nobody_gave": chat.create(model="support", messages=[NO_NUMBER]).choices[0].to_dict(),
    "no_model": refusal(NotFoundError, model="nobody"),
    "no_format": refusal(UnprocessableEntityError, response_format={"type": "json_object"}),
}
print(json.dumps(seen))
