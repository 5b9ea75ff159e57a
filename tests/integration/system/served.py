"""Apps in this process, with the settings that a test wants and connections that are closed in the end."""

from contextlib import contextmanager

from system.api.app import create_app


@contextmanager
def served(settings):
    """Makes test clients."""
    apps = []

    def make(**changes):
        apps.append(create_app(settings(**changes)))
        return apps[-1].test_client()

    try:
        yield make
    finally:
        for app in apps:
            app.extensions["mail"].close()


def is_problem(answer, status, name):
    """Asserts that it is this problem, and answers the document."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert answer.json["type"].endswith("/" + name)
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["title"] != name
    return answer.json
