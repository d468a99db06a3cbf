from __future__ import annotations

import sys
from urllib.parse import urlsplit

import uvicorn

from services.tiny_model.model import SmallModel, weights
from services.tiny_model.service import Service
from services.tiny_model.settings import TinyModelSettings
from shared.domain.errors import ConfigurationInvalid
from shared.runtime.logging import configure, get_logger
from shared.runtime.settings import read


def main() -> int:
    try:
        settings = read(TinyModelSettings)
        configure(level=settings.log_level, form=settings.log_format, process="tiny_model")
        model = SmallModel(weights())
    except ConfigurationInvalid as error:
        sys.stderr.write(f"tiny_model: configuration: {error}\n")
        return 2
    address = urlsplit(settings.ollama_host)
    get_logger("tiny_model").info("serving", model=settings.ollama_model, digest=model.digest[:12], at=settings.ollama_host)
    app = Service(model, settings.ollama_model).app()
    uvicorn.run(
        app,
        host=address.hostname or "127.0.0.1",
        port=address.port or 11434,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    model.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
