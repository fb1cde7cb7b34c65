from datetime import timedelta

import pytest

from orchestrator.engine.definitions import check_operations, check_together
from orchestrator.engine.fingerprint import fingerprint
from orchestrator.engine.journey import (
    PIVOT,
    START,
    AskPerson,
    Call,
    Decision,
    Done,
    End,
    ForEach,
    IssueCode,
    Journey,
    Local,
    Pause,
    Require,
    StartJourney,
    Wait,
)
from schemas.errors import ConfigurationError

DAY, NOTHING = timedelta(days=1), timedelta()
OFFERED = {"library": frozenset({"preregister", "cancel_preregistration"})}


def a_key(source, subject):
    return f"{source} {subject}"


def a_function(_context):
    return Done()


def nobody(_context):
    return {}


def journey(*steps, name="test", version=1, **members):
    return Journey(name=name, version=version, starts_on=(), key=a_key, steps=steps, **members)


def starts(*names):
    return [StartJourney(f"start_{name}", name) for name in names] or [Local("a", a_function)]


def named(name, *starting):
    return journey(*starts(*starting), name=name)


def faults(act):
    with pytest.raises(ConfigurationError) as caught:
        act()
    return caught.value.faults


def test_a_call_that_does_not_say_how_it_is_undone_is_no_definition():
    (fault,) = faults(lambda: journey(Call("library", "preregister", "p")))
    assert fault.startswith("test v1 : étape « preregister »")
    assert "undo=" in fault


@pytest.mark.parametrize(
    "step",
    [
        Wait("go", timeout=NOTHING, otherwise=End("expired")),
        Require(purpose="p", timeout=-DAY, otherwise=End("expired")),
        Pause("rest", NOTHING),
        IssueCode(valid_for=NOTHING),
        AskPerson(name="a", question="q", decisions=(Decision("yes"),), timeout=NOTHING),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_delay_of_nothing_is_refused(step):
    (fault,) = faults(lambda: journey(step))
    assert "délai" in fault


def test_every_fault_of_a_definition_is_said_at_once():
    told = faults(
        lambda: journey(
            Local("a", a_function),
            Local("a", a_function),
            Local("b:undo", a_function),
            AskPerson(name="c", question="q", decisions=(), timeout=DAY),
            AskPerson(
                name="d", question="q", decisions=(Decision("x"), Decision("x")), timeout=DAY
            ),
            on_failure="shrug",
        )
    )
    assert len(told) == 5


def test_a_journey_without_a_step_is_none():
    assert faults(journey) == ("test v1 : aucune étape.",)


def test_a_journey_that_starts_itself_by_a_detour_is_refused():
    told = faults(lambda: check_together([named("a", "b"), named("b", "c"), named("c", "a")]))
    assert "a v1 : il se relance lui-même : a → b → c → a." in told
    assert faults(lambda: check_together([named("a", "a")]))


def test_a_message_that_would_start_two_journeys_is_refused():
    def on(kind, name, version=1):
        steps = (Local("a", a_function),)
        return Journey(name=name, version=version, starts_on=(kind,), key=a_key, steps=steps)

    check_together([on("x.v1", "a"), on("x.v1", "a", 2), on("y.v1", "b")])
    check_together([on("x.v1", "a"), on("y.v1", "a", 2), on("x.v1", "b")])
    (fault,) = faults(lambda: check_together([on("x.v1", "b"), on("x.v1", "a")]))
    assert fault == "le message « x.v1 » commence plusieurs parcours : a, b."


def test_a_call_whose_service_is_chosen_too_late_is_refused():
    choice, call = Local("library", a_function), Call("library", "preregister", "p", PIVOT)
    check_together([journey(choice, call)])
    (fault,) = faults(lambda: check_together([journey(call, choice)]))
    assert fault.startswith("test v1 : étape « preregister » : aucune étape avant elle")


def test_a_call_may_take_its_service_from_the_start():
    check_together([journey(Call(START, "preregister", "p", PIVOT))])
    with pytest.raises(ConfigurationError):
        journey(Local(START, a_function))


def test_a_tree_of_two_levels_is_the_deepest():
    sound = [named("a", "b", "c"), named("b", "c"), named("c")]
    check_together(sound)
    (fault,) = faults(lambda: check_together([*sound, named("z", "a")]))
    assert fault == "z v1 : au plus 2 niveaux sous un parcours : z → a → b → c."


def test_a_journey_nobody_wrote_cannot_be_started():
    each = journey(ForEach("each", nobody, "nowhere"))
    (fault,) = faults(lambda: check_together([each]))
    assert fault == "test v1 : le parcours « nowhere » n'existe pas."


def test_an_old_version_is_checked_with_what_it_would_start_today():
    old = journey(StartJourney("s", "b"), version=1)
    new = journey(Local("a", a_function), version=2)
    back = named("b", "test")
    check_together([old, new, named("b")])
    check_together([new, back])
    assert not faults_or_none([old, new, back])


def faults_or_none(journeys):
    try:
        check_together(journeys)
    except ConfigurationError as error:
        return error.faults
    return ()


@pytest.mark.parametrize(
    ("operation", "undo", "missing"),
    [("borrow", PIVOT, "borrow"), ("preregister", "forget", "forget")],
)
def test_an_operation_or_an_undo_that_no_connector_has_is_refused(operation, undo, missing):
    call = journey(Call("library", operation, "p", undo))
    (fault,) = faults(lambda: check_operations([call], OFFERED))
    assert f"« {missing} »" in fault


def test_a_call_that_somebody_can_do_and_undo_is_accepted():
    check_operations(
        [
            journey(Call("library", "preregister", "p", "cancel_preregistration")),
            journey(Call("nearest", "preregister", "p", PIVOT)),
        ],
        OFFERED,
    )


def test_what_the_language_learnt_later_leaves_untouched_definitions_their_digest():
    plain = journey(Wait("go", timeout=DAY, otherwise=End("expired")))
    same = journey(Wait("go", timeout=DAY, otherwise=End("expired", undo=None)))
    kept = journey(Wait("go", timeout=DAY, otherwise=End("expired", undo=False)))
    undoing = journey(Wait("go", timeout=DAY, otherwise=End("expired")), on_failure="undo")
    assert fingerprint(plain) == fingerprint(same)
    assert len({fingerprint(plain), fingerprint(kept), fingerprint(undoing)}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Pause("rest", DAY), Pause("rest", 2 * DAY)),
        (ForEach("each", nobody, "a"), ForEach("each", nobody, "a", all_or_nothing=True)),
        (StartJourney("s", "a"), StartJourney("s", "b")),
        (
            AskPerson(name="a", question="q", decisions=(Decision("x"),), timeout=DAY),
            AskPerson(name="a", question="q", decisions=(Decision("x", End("y")),), timeout=DAY),
        ),
    ],
    ids=lambda step: type(step).__name__,
)
def test_another_parameter_is_another_definition(one, other):
    assert fingerprint(journey(one)) != fingerprint(journey(other))
