"""The guide about scopes: its views mean what it says."""

import re
import runpy
from pathlib import Path
from typing import Any, Final

from rest_framework.permissions import IsAdminUser

from drf_apikit.authentication import HasScopes, any_of
from drf_apikit.authentication.operators import asked_in, needed_in
from drf_apikit.authentication.permissions import scopes_for

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs/how-to/ask-for-scopes.md"
BLOCK: Final = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_guide_means_what_it_says(tmp_path: Path) -> None:
    guide = tmp_path / "guide.py"
    guide.write_text("\n".join(BLOCK.findall(PAGE.read_text("utf-8"))), "utf-8")
    made: Any = runpy.run_path(str(guide))
    notes, archive = made["NoteViewSet"](), made["ArchiveViewSet"]()
    assert scopes_for(notes, "POST") == any_of("notes:write", "notes:create")
    assert scopes_for(archive, "GET") == frozenset({"notes:read"})
    notes.action = archive.action = "destroy"
    assert scopes_for(notes, "DELETE") == frozenset({"notes:write", "notes:delete"})
    assert scopes_for(archive, "DELETE") == frozenset({"archive:delete"})
    assert notes.archive.kwargs["required_scopes"] == ["notes:archive"]
    (either,) = made["permission_classes"]
    assert either == HasScopes | IsAdminUser
    assert asked_in(either, HasScopes)
    assert not needed_in(either, HasScopes)
    assert made["ScopesOfTokens"].needs_token is False
