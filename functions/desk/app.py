"""The desk: where people on call see who needs them, and take the call, by link or by phone."""

from fastapi import FastAPI
from mangum import Mangum

from functions.desk.by_link import pages
from functions.desk.by_phone import calls, status_callbacks
from functions.desk.headers import SecurityHeaders
from shared.http_api import HttpApi

# Without a schema and its pages, and without redirects from one slash too many, as for the voice function.
app = FastAPI(openapi_url=None, redirect_slashes=False)
# A call's routes first: "conference" is no link.
app.include_router(calls)
app.include_router(status_callbacks)
app.include_router(pages)
app.add_middleware(SecurityHeaders)

handler = Mangum(app, lifespan="off", custom_handlers=[HttpApi])
