"""OpenAI's APIs, so that an agent changes its base URL and nothing else.

Chat Completions and Responses write the same answers, which `gateway.assistant` gives. A parameter
of theirs that would change an answer and is not supported is refused, never ignored in silence;
what an answer is written with goes on to the fallback. Errors have OpenAI's form here.
"""

from fastapi import APIRouter

from gateway.faces.description import openai_problems
from gateway.faces.openai import chat, responses

router = APIRouter(responses=openai_problems(401))
router.include_router(chat.router)
router.include_router(responses.router)
