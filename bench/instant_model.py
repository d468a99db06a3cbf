"""A model that answers at once: the Ollama protocol on a raw socket, so that what is measured is us. `python -m bench.instant_model PORT`.

Buys when the prompt's RSI is below 50, sells otherwise.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

NAME = "instant:latest"
DIGEST = "0" * 64
RSI = re.compile(r"rsi\W+([0-9.]+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            _, path, _ = head.split(b" ", 2)
            self._answer(path.decode(), rest[:length])

    def _answer(self, path: str, body: bytes) -> None:
        asked = json.loads(body) if body else {}
        details = {"format": "gguf", "family": "none", "families": None, "parameter_size": "0", "quantization_level": "none"}
        model = {"name": NAME, "model": NAME, "size": 1, "digest": DIGEST, "details": details, "modified_at": "2026-01-01T00:00:00Z"}
        if path == "/api/version":
            answer: object = {"version": "0.40.4"}
        elif path == "/api/tags":
            answer = {"models": [model]}
        elif path == "/api/ps":
            answer = {"models": [{**model, "size_vram": 1, "expires_at": "2036-01-01T00:00:00Z", "context_length": 8192}]}
        elif path == "/api/show":
            answer = {"details": details, "model_info": {}, "capabilities": ["completion"], "template": "", "parameters": ""}
        else:
            answer = self._chat(asked)
        text = json.dumps(answer).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text) + text)

    def _chat(self, asked: dict[str, object]) -> object:
        messages: list[dict[str, str]] = asked.get("messages") or []  # type: ignore[assignment]
        found = RSI.findall(messages[-1]["content"]) if messages else []
        action = "buy" if found and float(found[-1]) < 50 else "sell"
        decided = {"reasoning": "at once", "evidence": ["rsi"], "action": action, "confidence": 90, "invalidation": "none"}
        return {
            "model": NAME,
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": json.dumps(decided) if messages else ""},
            "done": True,
            "done_reason": "stop" if messages else "load",
            "total_duration": 1,
            "load_duration": 1,
            "prompt_eval_count": 1,
            "prompt_eval_duration": 1,
            "eval_count": 1,
            "eval_duration": 1,
        }


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
