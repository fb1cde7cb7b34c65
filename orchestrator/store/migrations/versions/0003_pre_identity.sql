-- One identity: logins, civil status, SAML conversations, sessions, accounts, cases, merges; staff
-- roles, applications with a token; the journal.
-- Personal columns carry a comment "pii=<class>; purpose=<purpose>; retention=<rule>; eraser=<how>".

-- logins ----------------------------------------------------------------------------------------
-- An (issuer, alias, subject) that signs somebody in. A closed row stays: it is the tombstone that
-- shows a subject coming back for somebody else. Staff have no citizen.
CREATE TABLE login(
  id uuid PRIMARY KEY,
  issuer text NOT NULL,
  alias text NOT NULL,
  subject_hash bytea NOT NULL,
  subject bytea,
  data_key_id uuid NOT NULL,
  citizen_id uuid,
  level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
  method text NOT NULL,
  realm_account bytea NOT NULL,
  valid_from timestamptz NOT NULL DEFAULT parvis_now(),
  last_used_at timestamptz NOT NULL DEFAULT parvis_now(),
  valid_to timestamptz,
  closed_reason text);
CREATE UNIQUE INDEX login_one_owner ON login(issuer, alias, subject_hash) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX login_one_franceconnect ON login(citizen_id, alias)
  WHERE valid_to IS NULL AND alias LIKE 'france%connect%';
CREATE INDEX login_of_account ON login(realm_account) WHERE valid_to IS NULL;
CREATE INDEX login_of_citizen ON login(citizen_id) WHERE citizen_id IS NOT NULL;
COMMENT ON COLUMN login.subject_hash IS 'pii=reference; purpose=identity; retention=while the login lives, then as tombstone 12 months; eraser=row';
COMMENT ON COLUMN login.realm_account IS 'pii=reference; purpose=identity; retention=while the login lives, then as tombstone 12 months; eraser=row';
COMMENT ON COLUMN login.subject IS 'pii=reference; purpose=identity; retention=while the login lives; eraser=data key';

-- What the realm must still be told of a login that was taken away: the link it holds and the sessions.
-- It names the person by the login's row alone.
CREATE TABLE realm_effect(
  id uuid PRIMARY KEY,
  login_id uuid NOT NULL UNIQUE,
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'paused', 'stuck', 'done')),
  failures int NOT NULL DEFAULT 0,
  fault text,
  asked_at timestamptz NOT NULL DEFAULT parvis_now(),
  next_at timestamptz NOT NULL DEFAULT parvis_now(),
  ended_at timestamptz);
CREATE INDEX realm_effect_due ON realm_effect(next_at) WHERE status IN ('waiting', 'paused');

-- Civil status as somebody vouched for it; a correction closes the old value.
CREATE TABLE civil_status(
  id uuid PRIMARY KEY,
  citizen_id uuid NOT NULL,
  field text NOT NULL CHECK (field IN
    ('given_names', 'birth_name', 'birthdate', 'gender', 'birthplace', 'birthcountry')),
  value bytea NOT NULL,
  data_key_id uuid NOT NULL,
  source text NOT NULL,
  login_id uuid,
  level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
  recorded_at timestamptz NOT NULL DEFAULT parvis_now(),
  closed_at timestamptz);
CREATE UNIQUE INDEX civil_status_one_value ON civil_status(citizen_id, field) WHERE closed_at IS NULL;
COMMENT ON COLUMN civil_status.value IS 'pii=civil_status; purpose=identity; retention=while the person is known; eraser=data key';

-- What candidates are found by: keyed digests of five normalised fields, each time one left out.
CREATE TABLE civil_status_key(
  citizen_id uuid NOT NULL,
  left_out text NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (citizen_id, left_out));
CREATE INDEX civil_status_key_digest ON civil_status_key(digest);
COMMENT ON COLUMN civil_status_key.digest IS 'pii=civil_status; purpose=identity; retention=while the person is known; eraser=row';

-- conversations with an identity provider ---------------------------------------------------------
CREATE TABLE saml_request(
  id text PRIMARY KEY,
  face text NOT NULL CHECK (face IN ('citizen', 'console')),
  relay_key text NOT NULL UNIQUE,
  browser_hash bytea NOT NULL,
  idp text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('login', 'step_up', 'link', 'unlink', 'logout')),
  level_wanted smallint NOT NULL DEFAULT 0,
  force_authn boolean NOT NULL DEFAULT false,
  return_path text NOT NULL,
  session_id uuid,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL,
  bad_answers smallint NOT NULL DEFAULT 0,
  consumed_at timestamptz);
CREATE INDEX saml_request_expires ON saml_request(expires_at);

CREATE TABLE saml_seen(
  issuer text NOT NULL,
  message_id text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (issuer, message_id));
CREATE INDEX saml_seen_expires ON saml_seen(expires_at);

-- The last good description of each identity provider, and how the last try to fetch it went.
CREATE TABLE idp_descriptor(
  face text PRIMARY KEY CHECK (face IN ('citizen', 'console')),
  xml text,
  digest bytea,
  fetched_at timestamptz,
  tried_at timestamptz NOT NULL DEFAULT parvis_now(),
  fault text);

ALTER TABLE web_session
  ALTER COLUMN actor DROP NOT NULL,
  ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN login_id uuid,
  ADD COLUMN citizen_id uuid,
  ADD COLUMN name_id_hash bytea,
  ADD COLUMN name_id bytea,
  ADD COLUMN session_index text,
  ADD COLUMN idp_alias text,
  ADD COLUMN level smallint NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 4),
  ADD COLUMN proved_at timestamptz,
  ADD COLUMN ended_at timestamptz,
  ADD COLUMN end_reason text;
CREATE UNIQUE INDEX web_session_id ON web_session(id);
CREATE INDEX web_session_of_citizen ON web_session(citizen_id) WHERE citizen_id IS NOT NULL;
CREATE INDEX web_session_by_name_id ON web_session(name_id_hash) WHERE name_id_hash IS NOT NULL;
COMMENT ON COLUMN web_session.name_id_hash IS 'pii=reference; purpose=identity; retention=30 days after the end; eraser=row';
COMMENT ON COLUMN web_session.name_id IS 'pii=reference; purpose=identity; retention=30 days after the end; eraser=data key';

ALTER TABLE signup ADD COLUMN contact_digest bytea;
CREATE INDEX signup_of_contact ON signup(contact_digest) WHERE contact_digest IS NOT NULL;
COMMENT ON COLUMN signup.contact_digest IS 'pii=reference; purpose=library.preregistration; retention=1 hour; eraser=row';

-- accounts --------------------------------------------------------------------------------------
-- A citizen's place in one service, with the proof that joined the two.
CREATE TABLE account(
  id uuid PRIMARY KEY,
  citizen_id uuid NOT NULL,
  service_id text NOT NULL,
  preregistration_id uuid,
  reference_hash bytea,
  reference bytea,
  data_key_id uuid,
  level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
  method text NOT NULL CHECK (method IN ('access_code', 'card', 'desk', 'request')),
  opened_at timestamptz NOT NULL DEFAULT parvis_now(),
  closed_at timestamptz,
  closed_reason text);
CREATE UNIQUE INDEX account_one_per_service ON account(citizen_id, service_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX account_one_owner ON account(service_id, reference_hash)
  WHERE closed_at IS NULL AND reference_hash IS NOT NULL;
CREATE INDEX account_of_preregistration ON account(preregistration_id) WHERE preregistration_id IS NOT NULL;
COMMENT ON COLUMN account.reference_hash IS 'pii=reference; purpose=identity; retention=while the account lives; eraser=row';
COMMENT ON COLUMN account.reference IS 'pii=reference; purpose=identity; retention=while the account lives; eraser=data key';

-- cases and merges ---------------------------------------------------------------------------------
CREATE TABLE identity_case(
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('proposed_match', 'review')),
  rule text NOT NULL,
  citizen_id uuid,
  others uuid[] NOT NULL DEFAULT '{}',
  login_id uuid,
  alias text,
  subject_hash bytea,
  opened_at timestamptz NOT NULL DEFAULT parvis_now(),
  closed_at timestamptz,
  closed_by text,
  decision text);
CREATE INDEX identity_case_open ON identity_case(opened_at) WHERE closed_at IS NULL;
COMMENT ON COLUMN identity_case.subject_hash IS 'pii=reference; purpose=identity; retention=12 months; eraser=row';

CREATE TABLE merge(
  id uuid PRIMARY KEY,
  survivor_id uuid NOT NULL,
  merged_id uuid NOT NULL,
  moved jsonb NOT NULL,
  actor text NOT NULL,
  proofs text[] NOT NULL,
  merged_at timestamptz NOT NULL DEFAULT parvis_now(),
  undo_until timestamptz NOT NULL,
  undone_at timestamptz,
  undone_by text);
CREATE UNIQUE INDEX merge_one_at_a_time ON merge(merged_id) WHERE undone_at IS NULL;
ALTER TABLE citizen ADD COLUMN merged_into uuid;

-- staff and applications -----------------------------------------------------------------------------
-- A role is granted to a name of the staff realm; the first login under that name takes it, and no
-- other login has it afterwards.
CREATE TABLE staff_role(
  id uuid PRIMARY KEY,
  name text NOT NULL,
  login_id uuid,
  role text NOT NULL CHECK (role IN ('admin', 'connector_manager', 'librarian', 'dpo', 'observer')),
  territory text,
  granted_by text NOT NULL,
  granted_at timestamptz NOT NULL DEFAULT parvis_now(),
  until timestamptz,
  revoked_at timestamptz,
  revoked_by text);
CREATE UNIQUE INDEX staff_role_once ON staff_role(name, role, coalesce(territory, '')) WHERE revoked_at IS NULL;
COMMENT ON COLUMN staff_role.name IS 'pii=reference; purpose=administration; retention=12 months after it was revoked; eraser=row';

CREATE TABLE api_client(
  client_id text PRIMARY KEY,
  application text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('application', 'citizen')),
  scopes text[] NOT NULL,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT parvis_now(),
  disabled_at timestamptz,
  disabled_by text);

-- What a write of a portal was answered, so that its repeat gets the same answer and has no effect.
-- status is null while the first is under way; a process that died in between is waited for a minute.
CREATE TABLE idempotency_key(
  digest bytea PRIMARY KEY,
  fingerprint bytea NOT NULL,
  status smallint,
  answer jsonb,
  begun_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX idempotency_key_begun ON idempotency_key(begun_at);
COMMENT ON COLUMN idempotency_key.answer IS 'pii=reference; purpose=identity; retention=24 hours; eraser=row';

-- journal ----------------------------------------------------------------------------------------
-- Rows come in unsealed; one sealer gives them seq, prev and hash.
CREATE TABLE journal_entry(
  id uuid PRIMARY KEY,
  seq bigint,
  at timestamptz NOT NULL,
  type text NOT NULL,
  actor_ref text,
  subject_ref text,
  case_ref text,
  leaf bytea NOT NULL,
  prev bytea,
  hash bytea);
CREATE UNIQUE INDEX journal_entry_seq ON journal_entry(seq) WHERE seq IS NOT NULL;
CREATE INDEX journal_entry_unsealed ON journal_entry(id) WHERE seq IS NULL;
CREATE INDEX journal_entry_of_subject ON journal_entry(subject_ref, id) WHERE subject_ref IS NOT NULL;

CREATE TABLE journal_body(
  id uuid PRIMARY KEY,
  salt bytea NOT NULL,
  record bytea NOT NULL,
  data_key_id uuid NOT NULL);
COMMENT ON COLUMN journal_body.record IS 'pii=reference; purpose=journal; retention=until the person is erased; eraser=data key';
