# The drop-in files of packaging/, as the tests use them: the same text, with the paths of the binaries under test.
# Layer: tests. Used by the engines.
# SPDX-License-Identifier: Apache-2.0
import re

from sandbox import SOURCE

INSTALLED = {"/usr/bin/caisson-runtime": "runtime", "/usr/bin/caisson-nest": "nest"}


def packaged(path, engine):
    """The text of packaging/PATH for `engine`."""
    text = (SOURCE / "packaging" / path).read_text()
    if not any(name in text for name in INSTALLED):
        raise AssertionError(f"packaging/{path} names no binary of ours")
    for name, attribute in INSTALLED.items():
        if getattr(engine, attribute):
            text = re.sub(re.escape(name) + r"(?![\w-])", str(getattr(engine, attribute)), text)
    return text
