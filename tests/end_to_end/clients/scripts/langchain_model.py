"""LangChain's `ChatOpenAI` on the gateway: bound tools, a graph written out, a prebuilt agent."""

import json
import sys

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

model = ChatOpenAI(model="support", base_url=f"{sys.argv[1]}/v1", api_key="unused")
ran: list[dict[str, str]] = []


@tool
def track_order(order_id: str) -> str:
    """Get the status and the shipping progress of one order."""
    ran.append({"order_id": order_id})
    return f"{order_id} is on its way."


bound = model.bind_tools([track_order])


def ask(state: MessagesState) -> dict[str, list[AIMessage]]:
    """The graph's node that asks the gateway."""
    return {"messages": [bound.invoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("ask", ask)
builder.add_node("tools", ToolNode([track_order]))
builder.add_edge(START, "ask")
builder.add_conditional_edges("ask", tools_condition)
builder.add_edge("tools", "ask")
graph = builder.compile()

agent = create_agent(model, [track_order], system_prompt="You are the order desk of a shop.")


def job(runnable: object, request: str) -> dict[str, object]:
    """A whole job, and the messages that it took."""
    messages = runnable.invoke({"messages": [HumanMessage(request)]})["messages"]
    return {"types": [message.type for message in messages], "answer": messages[-1].content}


whole = AIMessageChunk("")
for chunk in bound.stream("Where is my order ORD-1234?", stream_usage=True):
    whole += chunk
pieces = [
    (message.type, message.content)
    for message, _ in agent.stream(
        {"messages": [HumanMessage("Has order ORD-1236 arrived?")]}, stream_mode="messages"
    )
    if message.content
]
chat = model.invoke("Good morning! How are you?")
print(
    json.dumps(
        {
            "streamed": {"calls": whole.tool_calls, "usage": whole.usage_metadata},
            "graph": job(graph, "Where is my order ORD-1234?"),
            "agent": job(agent, "Where is my order ORD-1234?"),
            "pieces": pieces,
            "chat": {"calls": chat.tool_calls, "answer": chat.content},
            "ran": ran,
        }
    )
)
