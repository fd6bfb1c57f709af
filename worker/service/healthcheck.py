"""The container's health check: exits 0 when the worker answers. It needs neither a shell nor curl.

Any status counts as healthy. `/health` answers 503 while the worker drains, so that the load balancer sends it no new
calls; ECS must not stop its container for that while calls are still running.
"""

import http.client
import os
import sys

ANSWERED_WITHIN_S = 3


def main() -> int:
    """Requests `/health` from the worker on this machine, on `PORT`; 0 when it gives any answer, else 1."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8080")), timeout=ANSWERED_WITHIN_S)
    try:
        connection.request("GET", "/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        print(f"the worker does not answer: {error}", file=sys.stderr)  # noqa: T201 - where Docker shows it
        return 1
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
