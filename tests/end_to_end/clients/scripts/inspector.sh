#!/bin/sh
# MCP Inspector's command line: each call is a process of its own. It ends with 5 where a tool says
# isError, and prints the result all the same. Give the gateway's URL and the protocol era.
url=$1 era=$2

inspect() {
    path=$1
    shift
    mcp-inspector --cli "$url$path" --transport http --protocol-era "$era" --format json "$@" \
        </dev/null
}

tools=$(inspect /mcp/support --method tools/list)
called=$(inspect /mcp/support --method tools/call --tool-name track_order \
    --tool-arg order_id=ORD-1234)
broken=$(inspect /mcp/support --method tools/call --tool-name track_order \
    --tool-args-json '{"order_id": "12"}' 2>/dev/null)
code=$?
lean=$(inspect '/mcp/support?tools=route' --method tools/list)
routed=$(inspect '/mcp/support?tools=route' --method tools/call --tool-name route \
    --tool-arg 'request=Where is my order ORD-1234?')

printf '{"tools": %s, "called": %s, "broken": %s, "code": %s, "lean": %s, "routed": %s}' \
    "$tools" "$called" "$broken" "$code" "$lean" "$routed" | tr '\n' ' '
