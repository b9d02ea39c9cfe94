"""Groups and staff status out of claims."""

import logging
from typing import Any, Final

import pytest
from django.contrib.auth.models import Group, Permission, User

from drf_apikit.models import ExternalIdentity
from drf_apikit.users import grants as grants_module
from drf_apikit.users.grants import granted
from tests.authentication.tokens import ISSUER, cost, resolved, token

pytestmark = pytest.mark.django_db
everywhere = pytest.mark.usefixtures("database")

GROUPS: Final[dict[str, Any]] = {
    "groups_claim": "roles",
    "groups": {"editor": "Editors", "chief": "Editors", "reader": "Readers"},
}
STAFF: Final[dict[str, Any]] = {
    "groups_claim": "roles",
    "staff": frozenset({"admin", "root"}),
}
ALL: Final[dict[str, Any]] = {**GROUPS, **STAFF}


@pytest.fixture
def ada() -> User:
    user = User.objects.create_user("ada")
    ExternalIdentity.objects.create(issuer=ISSUER, subject="s-1", user=user)
    for name in ("Editors", "Readers", "Local"):
        Group.objects.create(name=name)
    user.groups.add(Group.objects.get(name="Local"))
    return user


def groups(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def state(user: User) -> tuple[set[str], bool]:
    """Give what the database holds."""
    return groups(user), User.objects.get(pk=user.pk).is_staff


# What a claim says.


@pytest.mark.parametrize(
    ("claim", "wanted"),
    [
        pytest.param(["editor"], {"Editors"}, id="list"),
        pytest.param(["editor", "reader", "x"], {"Editors", "Readers"}, id="several"),
        pytest.param(["editor", "chief"], {"Editors"}, id="two-for-one"),
        pytest.param("editor reader", {"Editors", "Readers"}, id="words"),
        pytest.param(" editor  x ", {"Editors"}, id="spaces"),
        pytest.param([], set(), id="empty-list"),
        pytest.param("", set(), id="empty-text"),
        pytest.param(["Editor", "editor ", "EDITOR"], set(), id="another-case"),
        pytest.param(["editor reader"], set(), id="words-in-a-list"),
        pytest.param("editor,reader", set(), id="commas"),
        pytest.param("x\u00a0editor\u2003reader\x1feditor", set(), id="no-spaces"),
        pytest.param("Editors", set(), id="name-of-the-group"),
    ],
)
@pytest.mark.parametrize("users", ["lookup", "create"])
def test_values_are_mapped_to_groups(claim: Any, wanted: set[str], users: str) -> None:
    grants = granted(token({**GROUPS, "users": users}, roles=claim))
    assert grants is not None
    assert grants.groups == wanted
    assert (grants.oddity, grants.staff) == (None, None)
    assert grants.known == {"Editors", "Readers"}


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        pytest.param("cognito:groups", {"cognito:groups": ["editor"]}, id="colon"),
        pytest.param("realm_access.roles", {"realm_access": {"roles": "editor"}}),
        pytest.param("a.b.c", {"a": {"b": {"c": ["editor"]}}}, id="deep"),
        pytest.param(
            "https://a.test/roles", {"https://a.test/roles": "editor"}, id="dots"
        ),
        pytest.param("a.b", {"a.b": "editor", "a": {"b": "reader"}}, id="name-first"),
    ],
)
def test_the_claim_is_found_by_name_or_path(path: str, claims: dict[str, Any]) -> None:
    grants = granted(token({**GROUPS, "groups_claim": path}, **claims))
    assert grants is not None
    assert grants.groups == {"Editors"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"groups_claim": "roles"}, {"groups_claim": None, "staff": frozenset("a")}],
    ids=["nothing", "no-mapping", "no-claim"],
)
def test_without_a_mapping_claims_have_no_say(
    ada: User, settings: dict[str, Any]
) -> None:
    assert granted(token(settings, roles=["a"])) is None
    assert resolved(settings, roles=["a"]) == ada
    assert state(ada) == ({"Local"}, False)


ODD: Final = [
    pytest.param(7, "int", id="number"),
    pytest.param(True, "bool", id="true"),
    pytest.param({"editor": True}, "dict", id="object"),
    pytest.param(["editor", 7], "list of more than texts", id="number-in-list"),
    pytest.param([["editor"]], "list of more than texts", id="nested"),
    pytest.param(["editor", None], "list of more than texts", id="null-in-list"),
]


@everywhere
@pytest.mark.parametrize(("claim", "kind"), ODD)
def test_any_other_kind_grants_nothing_and_is_logged_once(
    ada: User, caplog: pytest.LogCaptureFixture, claim: Any, kind: str
) -> None:
    resolved(ALL, roles=["editor", "root"])
    for _ in range(2):
        assert resolved(ALL, roles=claim, iat=2000) == ada
    assert state(ada) == ({"Local"}, False)
    assert caplog.messages == [f"roles of {ISSUER} is a {kind}: it grants nothing"]


# Given and taken.


@everywhere
def test_groups_of_the_mapping_come_and_go_and_others_stay(ada: User) -> None:
    for iat, roles, wanted in [
        (1, ["editor", "reader", "root"], {"Local", "Editors", "Readers"}),
        (2, ["reader"], {"Local", "Readers"}),
        (3, ["chief", "reader"], {"Local", "Editors", "Readers"}),
        (4, None, {"Local"}),
        (5, ["Local"], {"Local"}),
    ]:
        user = resolved(ALL, roles=roles, iat=iat)
        assert (groups(user), user.is_staff) == (wanted, iat == 1)
        assert state(ada) == (wanted, iat == 1)
        assert not user.is_superuser


@everywhere
def test_what_is_given_is_of_use_at_once(ada: User) -> None:
    permission = Permission.objects.get(codename="view_group")
    Group.objects.get(name="Editors").permissions.add(permission)
    assert ada.has_perm("auth.view_group") is False
    assert resolved(GROUPS, roles=["editor"]).has_perm("auth.view_group")
    assert not resolved(GROUPS, iat=2000).has_perm("auth.view_group")


@everywhere
def test_who_is_linked_or_made_has_it_in_the_same_request(ada: User) -> None:
    made = resolved({**ALL, "users": "create"}, "new", roles=["editor", "admin"])
    assert (groups(made), made.is_staff) == ({"Editors"}, True)
    User.objects.filter(pk=ada.pk).update(email="ada@a.test")
    ExternalIdentity.objects.filter(user=ada).delete()
    settings = {**ALL, "match_verified_email": True}
    claims = {"email": "ada@a.test", "roles": "reader root"}
    linked = resolved(settings, "first", email_verified=True, **claims)
    assert linked == ada
    assert (groups(linked), linked.is_staff) == ({"Local", "Readers"}, True)


def test_who_is_refused_gets_nothing(ada: User) -> None:
    User.objects.update(is_active=False)
    assert resolved(ALL, roles=["editor", "root"]) is None
    assert state(ada) == ({"Local"}, False)


@everywhere
def test_staff_is_touched_only_if_it_is_mapped(ada: User) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    assert resolved(GROUPS, roles=["editor"]).is_staff
    assert state(ada) == ({"Local", "Editors"}, True)
    user = resolved(STAFF, roles=["editor"])
    assert (user.is_staff, user.is_superuser) == (False, True)
    # And groups only if they are.
    assert state(ada) == ({"Local", "Editors"}, False)
    assert User.objects.get().is_superuser


@everywhere
def test_a_user_of_this_project_keeps_the_rights_it_has_here(ada: User) -> None:
    settings = {**ALL, "users": "local"}
    assert resolved(settings, str(ada.pk), roles=["editor", "root"]) == ada
    assert state(ada) == ({"Local"}, False)


# Which token decides.


@everywhere
def test_an_older_token_changes_nothing_any_more(ada: User) -> None:
    older: dict[str, Any] = {"roles": ["editor", "root"], "iat": 1000}
    newer: dict[str, Any] = {"roles": ["reader"], "iat": 1001}
    resolved(ALL, **older)
    resolved(ALL, **newer)
    user = resolved(ALL, **older)
    assert (groups(user), user.is_staff) == ({"Local", "Readers"}, False)
    assert state(ada) == ({"Local", "Readers"}, False)
    assert cost(lambda: resolved(ALL, **older)) == 1
    assert cost(lambda: resolved(ALL, **newer)) == 1
    # Of one second, the one that comes last.
    resolved(ALL, roles=["editor"], iat=1001)
    assert state(ada) == ({"Local", "Editors"}, False)
    resolved(ALL, roles=["reader"], iat=1001.5)
    assert state(ada) == ({"Local", "Readers"}, False)
    resolved(ALL, roles=["editor"], iat=1001.25)
    assert state(ada) == ({"Local", "Readers"}, False)


def test_the_dates_of_tokens_are_kept_exactly(ada: User, database: str) -> None:
    for iat in (0, 1_700_000_000.123, 253_402_300_799):
        assert resolved(ALL, roles=["editor", str(iat)], iat=iat) == ada
        resolved(ALL, roles=["reader"], iat=iat)
        assert ExternalIdentity.objects.get().grants_issued_at == iat, database


@everywhere
def test_nothing_new_costs_nothing(ada: User) -> None:
    roles = ["editor", "root"]
    costs = [
        cost(lambda: resolved(ALL, roles=roles)),
        cost(lambda: resolved(ALL, roles=roles)),
        # A new token, in another order, with a value more that is not mapped.
        cost(lambda: resolved(ALL, roles=["x", "root", "editor"], iat=2000)),
        cost(lambda: resolved(ALL, roles=["chief", "admin"], iat=2000)),
        cost(lambda: resolved(ALL, roles=["editor"], iat=3000)),
        cost(lambda: resolved(ALL, roles=["reader"], iat=4000)),
        cost(lambda: resolved(ALL, roles=["reader"], iat=4000)),
    ]
    # Identity; note, two of groups, add; two of staff. A newer token is noted.
    assert costs == [7, 1, 2, 1, 6, 7, 1]
    assert state(ada) == ({"Local", "Readers"}, False)


def test_a_token_grants_nothing_after_a_newer_one_that_changed_nothing(
    ada: User,
) -> None:
    resolved(ALL, roles=[], iat=1000)
    resolved(ALL, roles=[], iat=3000)
    resolved(ALL, roles=["root", "editor"], iat=2000)
    assert state(ada) == ({"Local"}, False)
    resolved(ALL, roles=["root", "editor"], iat=3000)
    assert state(ada) == ({"Local", "Editors"}, True)


def test_what_is_changed_by_hand_stays_until_the_claims_change(ada: User) -> None:
    resolved(ALL, roles=["editor"])
    ada.groups.clear()
    resolved(ALL, roles=["editor"], iat=2000)
    assert groups(ada) == set()
    resolved(ALL, roles=["editor", "root"], iat=3000)
    assert groups(ada) == {"Editors"}


def test_another_mapping_is_applied_to_the_same_token(ada: User) -> None:
    resolved(GROUPS, roles=["editor"])
    mapping = {**GROUPS, "groups": {"editor": "Readers", "x": "Editors"}}
    resolved(mapping, roles=["editor"])
    assert groups(ada) == {"Local", "Readers"}
    resolved({**mapping, "staff": frozenset({"editor"})}, roles=["editor"])
    assert state(ada) == ({"Local", "Readers"}, True)


def test_another_user_of_the_identity_gets_it_anew(ada: User) -> None:
    resolved(GROUPS, roles=["editor"])
    eve = User.objects.create_user("eve")
    ExternalIdentity.objects.update(user=eve)
    assert resolved(GROUPS, roles=["editor"]) == eve
    assert groups(eve) == {"Editors"}
    assert groups(ada) == {"Local", "Editors"}


@everywhere
def test_a_group_that_is_not_there_comes_with_the_token_after_it(
    ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    Group.objects.filter(name="Editors").delete()
    call: dict[str, Any] = {"roles": ["editor", "reader"]}
    resolved(GROUPS, **call)
    told = [f"roles of {ISSUER}: there is no group Editors"]
    assert caplog.messages == told
    assert groups(ada) == {"Local", "Readers"}
    Group.objects.create(name="Editors")
    # Nothing is asked for each request that could have it by now.
    assert cost(lambda: resolved(GROUPS, **call)) == 1
    assert groups(resolved(GROUPS, **call, iat=2000)) == {"Local", "Readers", "Editors"}
    assert cost(lambda: resolved(GROUPS, **call, iat=2000)) == 1
    assert caplog.messages == told


@everywhere
def test_a_group_whose_name_differs_in_case_is_another(ada: User) -> None:
    Group.objects.filter(name="Editors").update(name="EDITORS")
    resolved(GROUPS, roles=["editor"])
    assert groups(ada) == {"Local"}


def test_a_user_model_that_knows_no_staff(
    ada: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(grants_module, "get_user_model", lambda: Group)
    assert resolved(ALL, roles=["root", "editor"]) == ada
    assert caplog.messages == ["The user model has no field is_staff"]
    assert state(ada) == ({"Local", "Editors"}, False)


@pytest.mark.parametrize("given", [["x"], "x", None], ids=repr)
def test_what_a_user_model_calls_groups_may_be_none_of_django_s(
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: Any,
) -> None:
    monkeypatch.setattr(User, "groups", given)
    assert resolved(ALL, roles=["editor", "root"]) == ada
    assert caplog.messages == [f"roles of {ISSUER}: there is no group Editors"]
    assert User.objects.get(pk=ada.pk).is_staff


def test_grants_differ_by_their_digest() -> None:
    def digest(roles: Any, **settings: Any) -> str:
        grants = granted(token({**ALL, **settings}, roles=roles))
        assert grants is not None
        return grants.digest()

    other = {"groups": {"editor": "Editors"}}
    digests = [
        *(digest([]), digest(["editor"]), digest(["reader"]), digest(["root"])),
        *(digest(7), digest([], **other), digest(["editor"], **other)),
        *(digest([], staff=None), digest(["editor", "reader"])),
    ]
    assert len(set(digests)) == len(digests)
    assert digest("reader editor") == digest(["chief", "reader", "x"])
