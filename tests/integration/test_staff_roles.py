"""Roles of staff: granted to a name, taken by the first login under it, by nobody else afterwards."""

import pytest

from orchestrator.services.ports.staff import Role, RoleGrant, WantedRole
from orchestrator.services.staff_roles import NoSuchRoleError, RoleHeldError, StaffRoles
from orchestrator.store.staff_roles import StaffRoleTable
from schemas.logins import Face
from tests.integration.test_sign_in import Desk

pytestmark = pytest.mark.postgres
ADMIN = RoleGrant(role=Role.ADMIN)
OBSERVER = RoleGrant(role=Role.OBSERVER)


@pytest.fixture
def rows(database, vault):
    return StaffRoleTable(database=database, vault=vault)


@pytest.fixture
def roles(rows):
    return StaffRoles(rows=rows)


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys, face=Face.CONSOLE)


def grant(roles, name, role=Role.ADMIN, **more):
    roles.grant(WantedRole(name=name, role=role, **more), territories=("nord",), actor="cli:essai")


def signed_in(desk, number, name="admin.demo"):
    return desk.session({"name_id": f"G-{number}", "username": name})


def test_what_was_granted_before_is_taken_by_the_first_login(roles, rows, desk):
    grant(roles, "admin.demo")

    assert rows.of(signed_in(desk, 1).login_id) == [ADMIN]
    assert rows.of(signed_in(desk, 2, "autre").login_id) == []


def test_a_name_given_to_somebody_else_brings_nothing(roles, rows, desk):
    grant(roles, "admin.demo")
    first = signed_in(desk, 1)
    second = signed_in(desk, 2)

    assert rows.of(first.login_id) == [ADMIN]
    assert rows.of(second.login_id) == []

    grant(roles, "admin.demo", Role.OBSERVER)
    assert rows.of(signed_in(desk, 2).login_id) == [], "what comes later is the first one's too"
    assert rows.of(first.login_id) == [ADMIN, OBSERVER]


def test_once_all_was_taken_back_a_name_may_be_granted_anew(roles, rows, desk):
    grant(roles, "admin.demo")
    first = signed_in(desk, 1)
    assert roles.revoke("admin.demo", None, actor="cli:essai") == 1
    grant(roles, "admin.demo", Role.OBSERVER)

    assert rows.of(signed_in(desk, 2).login_id) == [OBSERVER]
    assert rows.of(first.login_id) == []


def test_a_role_taken_back_or_over_is_none_at_once(roles, rows, desk, database):
    grant(roles, "admin.demo")
    grant(roles, "admin.demo", Role.OBSERVER)
    login = signed_in(desk, 1).login_id
    roles.revoke("admin.demo", Role.ADMIN, actor="cli:essai")
    assert rows.of(login) == [OBSERVER]

    database.run("UPDATE staff_role SET until = parvis_now() - interval '1 second'")
    assert rows.of(login) == []
    assert [row.is_over for row in roles.granted()] == [True]

    grant(roles, "admin.demo", Role.OBSERVER)
    assert rows.of(login) == [OBSERVER], "one that ended makes room for the same again"


def test_the_same_role_twice_and_none_at_all_are_told(roles):
    grant(roles, "admin.demo", territory="nord")
    with pytest.raises(RoleHeldError):
        grant(roles, "admin.demo", territory="nord")
    grant(roles, "admin.demo")

    with pytest.raises(NoSuchRoleError):
        roles.revoke("admin.demo", Role.DPO, actor="cli:essai")


def test_grants_are_journalled_without_the_name(roles, database):
    grant(roles, "admin.demo")
    roles.revoke("admin.demo", None, actor="cli:essai")

    entries = database.all("SELECT * FROM journal_entry ORDER BY id")
    assert [row["type"] for row in entries] == ["staff.role_granted", "staff.role_revoked"]
    assert {row["actor_ref"] for row in entries} == {"cli:essai"}
    assert "admin.demo" not in str(entries)


def test_what_ended_a_year_ago_is_forgotten(roles, rows, database):
    grant(roles, "ancien")
    grant(roles, "admin.demo")
    roles.revoke("ancien", None, actor="cli:essai")
    database.run("UPDATE staff_role SET revoked_at = revoked_at - interval '366 days'")

    assert rows.forget_old() == 1
    assert [row.name for row in roles.granted()] == ["admin.demo"]


def test_the_command_line_grants_lists_and_takes_back(hub_environment, parvis):
    parvis("migrate")
    assert parvis("users", "grant", "admin.demo", "admin")[0] == 0
    assert parvis("users", "grant", "dpo.demo", "dpo", "--until", "2099-01-01")[0] == 0
    _, out, _ = parvis("users", "list")
    assert "admin.demo : admin ; jamais connecté" in out
    assert "jusqu'au 01/01/2099" in out

    assert parvis("users", "grant", "admin.demo", "admin")[0] == 1
    for wrong in (
        ("Mme Dupont", "admin"),
        ("a", "roi"),
        ("a", "admin", "--territory", "ailleurs"),
        ("a", "admin", "--until", "hier"),
        ("a", "admin", "--until", "2020-01-01"),
    ):
        code, _, err = parvis("users", "grant", *wrong)
        assert (code, bool(err)) == (2, True), wrong
    assert parvis("users", "revoke", "admin.demo")[0] == 0
    assert parvis("users", "revoke", "admin.demo")[0] == 1
