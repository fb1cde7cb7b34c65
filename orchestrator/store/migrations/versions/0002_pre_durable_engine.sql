-- What the durable engine adds. Each part names what it is for.

-- intake: a new run belongs to nobody yet and need not be found by its person ---------------------
DROP INDEX run_by_citizen;
CREATE INDEX run_by_citizen ON run(citizen_id, created_at DESC) WHERE citizen_id IS NOT NULL;

-- operations: a replay acts on a set of runs that was frozen when it was planned -------------------
CREATE TABLE replay(
  id uuid PRIMARY KEY,
  act text NOT NULL CHECK (act IN ('retry', 'discard')),
  selection jsonb NOT NULL,
  reason text,
  rate int NOT NULL DEFAULT 10 CHECK (rate BETWEEN 1 AND 200),
  state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'running', 'stopped', 'done')),
  total int NOT NULL,
  planned_by text NOT NULL,
  planned_at timestamptz NOT NULL DEFAULT parvis_now(),
  started_by text,
  started_at timestamptz,
  paced_at timestamptz,
  stopped_by text,
  stopped_at timestamptz,
  ended_at timestamptz);
CREATE INDEX replay_running ON replay(id) WHERE state = 'running';

CREATE TABLE replay_item(
  replay_id uuid NOT NULL REFERENCES replay(id) ON DELETE CASCADE,
  run_id uuid NOT NULL,
  fence bigint NOT NULL,
  position int NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'skipped')),
  reason text,
  acted_at timestamptz,
  PRIMARY KEY (replay_id, run_id));
CREATE INDEX replay_item_pending ON replay_item(replay_id, position) WHERE state = 'pending';

-- breakers: why a system is not called, who decided it, how far its probes and its return are -------
ALTER TABLE breaker
  ADD COLUMN cause text CHECK (cause IN ('outage', 'access', 'hand')),
  ADD COLUMN actor text,
  ADD COLUMN version text,
  ADD COLUMN probes int NOT NULL DEFAULT 0,
  ADD COLUMN trial_until timestamptz,
  ADD COLUMN slow_until timestamptz,
  ADD CONSTRAINT breaker_state CHECK (state IN ('closed', 'open', 'half_open'));
UPDATE breaker SET cause = 'access' WHERE state = 'open';
-- an undo that waits for its system is woken with the others
DROP INDEX run_waiting_for;
CREATE INDEX run_waiting_for ON run(waiting_for, created_at)
  WHERE status IN ('waiting_timer', 'compensating') AND waiting_for IS NOT NULL;

-- relay: how often the broker refused a row; the row stays until it is taken ------------------------
ALTER TABLE outbox ADD COLUMN refusals int NOT NULL DEFAULT 0;

-- runs: keys of a fork with the same effect, runs that only go forward, decisions of people ---------
-- effect_of: the run whose id makes the idempotency keys, its own when null
-- pivoted: it did something that cannot be taken back, so it only goes forward
ALTER TABLE run ADD COLUMN effect_of uuid, ADD COLUMN pivoted boolean NOT NULL DEFAULT false;
ALTER TABLE signal ADD COLUMN decision text;

CREATE TABLE human_task(
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL,
  step text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('decision', 'step_failed', 'undo_failed')),
  question text NOT NULL,
  decisions text[] NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT parvis_now(),
  due_at timestamptz,
  overdue_at timestamptz,
  closed_at timestamptz,
  decision text,
  decided_by text);
CREATE UNIQUE INDEX human_task_one_open ON human_task(run_id, step) WHERE closed_at IS NULL;
CREATE INDEX human_task_open ON human_task(opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX human_task_by_run ON human_task(run_id);

-- runs: why one goes back, kept while its undo is put aside; messages that came too late to be heard -
-- ends_as: the code a run was going back with when a person had to look
-- is_late: the message came while its run was put aside or went back; unheard, it gets a run of its own
ALTER TABLE run ADD COLUMN ends_as text;
ALTER TABLE signal ADD COLUMN is_late boolean NOT NULL DEFAULT false;
CREATE INDEX signal_late ON signal(run_id) WHERE is_late AND consumed_by_seq IS NULL;

-- systems with a limit of calls a second: the moment the next call is free, over all processes -------
-- queue_at: the moment the next call that must wait is asked to come again
CREATE TABLE pace(
  profile text PRIMARY KEY,
  rate int NOT NULL,
  free_at timestamptz NOT NULL,
  queue_at timestamptz NOT NULL) WITH (fillfactor = 50);

-- people: how often their consents changed, so that who read them a moment ago knows whether to ask again
-- a trigger, because a change that is not counted would let something leave
ALTER TABLE citizen ADD COLUMN consents int NOT NULL DEFAULT 0;
CREATE FUNCTION parvis_count_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE citizen c SET consents = c.consents + 1 FROM pseudonym p
   WHERE p.pseudonym = coalesce(NEW.subject_ref, OLD.subject_ref) AND p.service = 'journal' AND c.id = p.citizen_id;
  RETURN NULL;
END $$;
CREATE TRIGGER count_consent AFTER INSERT OR UPDATE OR DELETE ON consent_record
  FOR EACH ROW EXECUTE FUNCTION parvis_count_consent();
