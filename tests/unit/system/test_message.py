"""The mail in its wire form holds the same bytes as the standard library's, which takes ten times as long."""

from email.message import EmailMessage
from email.policy import EmailPolicy

from hypothesis import example, given
from hypothesis import strategies as st

from system.delivery.message import build
from system.delivery.states import Work

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=1100)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "", "\n."])
LINES = st.lists(st.tuples(ASCII | ANY, ENDS), max_size=5)


def by_the_library(body: str, encoding: str) -> bytes:
    message = EmailMessage(policy=EmailPolicy(linesep="\r\n", cte_type="7bit"))
    message.set_content(body, cte=encoding)
    return message.as_bytes().partition(b"\r\n\r\n")[2]


@given(LINES.map(lambda lines: "".join(text + end for text, end in lines)))
@example("")
@example("\n")
@example("x" * 998)
@example("x" * 999)
@example("ends without a line end")
@example("form\ffeed and \x85 and \u2028 are no ends of a line")
@example("a\rb\n\rc")
@example("\x7f")
def test_a_body_is_written_as_the_library_writes_it(body):
    work = Work("id", "email", "key", {"to": "a@b.c", "subject": "s", "body": body}, "example.org")
    head, _, ours = build(work, 1, "from@example.org", "host:1", "hint").partition(b"\r\n\r\n")
    encoding = "base64" if b"\r\nContent-Transfer-Encoding: base64" in head else "7bit"
    long = max((len(line) for line in body.encode().splitlines()), default=0) > 998
    printable = all(c in "\t\r\n" or " " <= c <= "~" for c in body)
    assert encoding == ("7bit" if printable and not long else "base64")
    assert ours == by_the_library(body, encoding)
