"""Twilio's REST errors, as its SDK reads them."""

from aiohttp import web


class RestError(Exception):
    """A request that Twilio refuses, with an HTTP status and one of Twilio's codes."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """The JSON body that Twilio answers."""
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {"Retry-After": "1"} if self.status == web.HTTPTooManyRequests.status_code else None
        return web.json_response(body, status=self.status, headers=headers)


def not_found(path: str) -> RestError:
    """The refusal of a resource that does not exist."""
    return RestError(404, 20404, f"The requested resource {path} was not found")
