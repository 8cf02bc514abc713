"""`python -m components.telemetry.receiver`: serve the log endpoint on TRACEO_HOST and TRACEO_LOG_RECEIVER_PORT."""

import sys

import uvicorn

from components.core.errors import TraceoError
from components.core.settings import settings
from components.telemetry.receiver.app import create_app

#: Requests handled at once; uvicorn answers 503 to more, so that their bodies cannot fill the memory.
_CONCURRENCY = 32

if __name__ == "__main__":
    try:
        place = settings()
        app = create_app(place)
    except TraceoError as error:
        sys.exit(f"error: {error}")
    uvicorn.run(app, host=place.host, port=place.log_receiver_port, log_level="warning", limit_concurrency=_CONCURRENCY)
