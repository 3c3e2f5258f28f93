"""chat.py TOKEN URL...: chat over each WebSocket, where the library is; print what came of it, a URL a line."""

import json
import sys

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


def chat(url, token):
    try:
        with connect(url, open_timeout=10) as socket:
            socket.send(json.dumps({"token": token}))
            said = json.loads(socket.recv(10))
            if "ready" not in said:
                return "refused"
            socket.send(json.dumps({"message": "Hello"}))
            text = ""
            while True:
                said = json.loads(socket.recv(60))
                text += said.get("delta", "")
                if "done" in said:
                    return "answered" if text else "silent"
                if "error" in said:
                    return said["error"]
    except (OSError, WebSocketException) as error:
        return f"away: {type(error).__name__}"


for address in sys.argv[2:]:
    print(chat(address, sys.argv[1]))
