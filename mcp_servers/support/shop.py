"""Rules that need no order: stock, help articles, handing over to a person."""

import re

from mcp_servers.support.desk import Answer, Desk

_STOP_WORDS = """
a about after am an and any are as at be been but by can could did do does for from get had has
have how i if in into is it its long may me much must my no not of on or our shall should so
than that the their them then there they this to us was we were what when where which who why
will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

PRIORITIES = ("low", "normal", "high", "urgent")


def check_stock(desk: Desk, sku: str, warehouse: str = "any") -> Answer:
    """Pieces of a product, in one warehouse or in each.

    Raises:
        DeskError: the product is unknown.
    """
    product = desk.product(sku)
    stock = [
        {"warehouse": row["warehouse"], "pieces": row["pieces"]}
        for row in desk.rows("SELECT * FROM stock WHERE sku = ? ORDER BY warehouse", sku)
        if warehouse in ("any", row["warehouse"])
    ]
    total = sum(place["pieces"] for place in stock)
    where = ", ".join(f"{place['pieces']} in {place['warehouse']}" for place in stock)
    text = f"{product['name']} ({sku}): {where}"
    text += f"; {total} in all." if len(stock) > 1 else "."
    data = {"sku": sku, "name": product["name"], "total": total, "stock": stock}
    return Answer(text, data)


def search_help(desk: Desk, query: str, limit: int = 3) -> Answer:
    """The help articles that fit best; none is an answer too."""
    words = [word.lower() for word in re.findall(r"[^\W_]+", query)]
    telling = [word for word in words if word not in STOP_WORDS] or words
    found = desk.rows(
        "SELECT title, topic, body FROM articles WHERE articles MATCH ? "
        "ORDER BY bm25(articles, 4.0, 1.0), rowid LIMIT ?",
        *(" OR ".join(f'"{word}"' for word in telling) or '""', int(limit)),
    )
    articles = [{"title": r["title"], "topic": r["topic"], "text": r["body"]} for r in found]
    text = "\n\n".join(f"{article['title']}: {article['text']}" for article in articles)
    missing = f"No help article mentions {query!r}. Try other words, or use escalate."
    return Answer(text or missing, {"query": query, "articles": articles})


def escalate(desk: Desk, reason: str, priority: str = "normal") -> Answer:
    """Put the conversation into the queue of the human agents, behind what is as urgent."""
    with desk.change():
        number = desk.write(
            "INSERT INTO escalations (reason, priority) VALUES (?, ?)", reason, priority
        )
    ahead_of_lower = PRIORITIES[PRIORITIES.index(priority) :]
    marks = ", ".join("?" for _ in ahead_of_lower)
    position = desk.number(
        f"SELECT COUNT(*) FROM escalations WHERE priority IN ({marks})", *ahead_of_lower
    )
    data = {"ticket_id": f"T-{number}", "priority": priority, "queue_position": position}
    text = f"Handed over to a person: ticket T-{number}, priority {priority}"
    return Answer(f"{text}, position {position} in the queue.", data)
