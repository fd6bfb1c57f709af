"""The desk: people on call see who needs them and take the call, by link or by phone."""

from fastapi import FastAPI
from mangum import Mangum

from functions.desk.phone.routes import calls, status_callbacks
from functions.desk.web.headers import SecurityHeaders
from functions.desk.web.routes import pages
from shared.http_api import HttpApi

# No OpenAPI schema and no redirects, as in the voice function.
app = FastAPI(openapi_url=None, redirect_slashes=False)
# The phone's routes come first, so that `/desk/conference` is not taken for a link.
app.include_router(calls)
app.include_router(status_callbacks)
app.include_router(pages)
app.add_middleware(SecurityHeaders)

handler = Mangum(app, lifespan="off", custom_handlers=[HttpApi])
