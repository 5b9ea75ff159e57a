"""Which event loop a process of the sink runs, by the name in its options.

Used by `__main__` and by the workers.
"""

from __future__ import annotations

import asyncio

try:
    import uvloop
except ImportError:
    # There is none for some platforms; asyncio's own loop is slower, nothing else.
    LOOPS = {"auto": asyncio.new_event_loop}
else:
    LOOPS = {"auto": uvloop.new_event_loop}
LOOPS["asyncio"] = asyncio.new_event_loop
