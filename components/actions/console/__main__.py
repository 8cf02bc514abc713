"""`python -m components.actions.console`: serve the console on TRACEO_HOST and TRACEO_CONSOLE_PORT."""

import uvicorn

from components.actions.console.app import create_app
from components.core.settings import settings

if __name__ == "__main__":
    uvicorn.run(create_app(settings()), host=settings().host, port=settings().console_port, log_level="warning")
