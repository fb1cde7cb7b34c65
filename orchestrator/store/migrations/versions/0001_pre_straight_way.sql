-- The first tables: what came in, runs and their log, people, libraries, consent, the city's offer.
-- Personal columns carry a comment "pii=<class>; purpose=<purpose>; retention=<rule>; eraser=<how>".

CREATE FUNCTION parvis_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT now() + coalesce(nullif(current_setting('parvis.clock_offset', true), ''), '0')::interval $$;

-- identity ------------------------------------------------------------------------------------
CREATE TABLE citizen(
  id uuid PRIMARY KEY,
  state text NOT NULL DEFAULT 'announced' CHECK (state IN ('announced', 'active', 'closed', 'erased')),
  language text NOT NULL DEFAULT 'fr',
  age_band text,
  created_at timestamptz NOT NULL DEFAULT parvis_now());
COMMENT ON COLUMN citizen.age_band IS 'pii=civil_status; purpose=library.preregistration; retention=preregistration; eraser=row';

CREATE TABLE data_key(
  id uuid PRIMARY KEY,
  citizen_id uuid,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX ON data_key(citizen_id) WHERE citizen_id IS NOT NULL;

CREATE TABLE pseudonym(
  citizen_id uuid NOT NULL,
  service text NOT NULL,
  pseudonym text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  PRIMARY KEY (citizen_id, service));

CREATE TABLE web_session(
  digest bytea PRIMARY KEY,
  face text NOT NULL,
  actor text NOT NULL,
  csrf text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  seen_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL);

-- intake --------------------------------------------------------------------------------------
CREATE TABLE inbox(
  source text NOT NULL,
  event_id text NOT NULL,
  body_sha bytea NOT NULL,
  message_id uuid NOT NULL,
  run_id uuid,
  seen_at timestamptz NOT NULL DEFAULT parvis_now(),
  PRIMARY KEY (source, event_id));
CREATE INDEX ON inbox USING brin(seen_at);

CREATE TABLE message(
  id uuid NOT NULL,
  source text NOT NULL,
  event_id text NOT NULL,
  type text NOT NULL,
  subject text,
  headers jsonb,
  body bytea,
  data_key_id uuid,
  received_at timestamptz NOT NULL DEFAULT parvis_now(),
  PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE message_default PARTITION OF message DEFAULT;
COMMENT ON COLUMN message.subject IS 'pii=reference; purpose=library.preregistration; retention=30 days; eraser=row';
COMMENT ON COLUMN message.body IS 'pii=identity; purpose=library.preregistration; retention=30 days; eraser=data key';

CREATE TABLE dead_letter(
  id uuid PRIMARY KEY,
  source text NOT NULL,
  message_id uuid,
  reason text NOT NULL,
  detail jsonb,
  seen_at timestamptz NOT NULL DEFAULT parvis_now(),
  closed_at timestamptz,
  closed_by text);

CREATE TABLE intake_counter(
  partner text NOT NULL,
  day date NOT NULL,
  what text NOT NULL,
  total bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (partner, day, what));

-- runs ----------------------------------------------------------------------------------------
CREATE TABLE run(
  id uuid PRIMARY KEY,
  journey text NOT NULL,
  version int NOT NULL,
  key text NOT NULL,
  status text NOT NULL DEFAULT 'ready',
  step int NOT NULL DEFAULT 0,
  seq int NOT NULL DEFAULT 0,
  fence bigint NOT NULL DEFAULT 0,
  signals int NOT NULL DEFAULT 0,
  open_children int NOT NULL DEFAULT 0,
  waiting_for text,
  wake_at timestamptz,
  lease_until timestamptz,
  recoveries int NOT NULL DEFAULT 0,
  cancel_asked boolean NOT NULL DEFAULT false,
  message_id uuid,
  citizen_id uuid,
  data_key_id uuid,
  data bytea,
  error_code text,
  parent_id uuid,
  forked_from uuid,
  fork_step int,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  updated_at timestamptz NOT NULL DEFAULT parvis_now(),
  ended_at timestamptz) WITH (fillfactor = 70);
CREATE UNIQUE INDEX run_one_at_a_time ON run(journey, key) WHERE ended_at IS NULL;
CREATE INDEX run_by_status ON run(status, created_at DESC, id) WHERE status <> 'done';
CREATE INDEX run_due ON run(wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX run_waiting_for ON run(waiting_for, created_at) WHERE status = 'waiting_timer' AND waiting_for IS NOT NULL;
CREATE INDEX run_children ON run(parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX run_by_journey ON run(journey, created_at DESC, id);
CREATE INDEX run_by_citizen ON run(citizen_id, created_at DESC);
CREATE INDEX run_by_day ON run USING brin(created_at);
COMMENT ON COLUMN run.key IS 'pii=reference; purpose=library.preregistration; retention=12 months after the end; eraser=row';
COMMENT ON COLUMN run.data IS 'pii=identity; purpose=library.preregistration; retention=30 days after the end; eraser=data key';

CREATE TABLE step(
  run_id uuid NOT NULL,
  seq int NOT NULL,
  attempt int NOT NULL DEFAULT 1,
  name text NOT NULL,
  outcome text NOT NULL,
  cause text,
  actor text,
  request_hash bytea,
  output bytea,
  error jsonb,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  worker text,
  PRIMARY KEY (run_id, seq, attempt)) PARTITION BY RANGE (run_id);
CREATE TABLE step_default PARTITION OF step DEFAULT;
COMMENT ON COLUMN step.output IS 'pii=identity; purpose=library.preregistration; retention=30 days after the end; eraser=data key';

CREATE TABLE signal(
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL,
  name text NOT NULL,
  dedup text NOT NULL,
  payload bytea,
  consumed_by_seq int,
  UNIQUE (run_id, dedup));
COMMENT ON COLUMN signal.payload IS 'pii=identity; purpose=library.preregistration; retention=30 days after the end; eraser=data key';

CREATE TABLE outbox(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text NOT NULL DEFAULT gen_random_uuid()::text,
  topic text NOT NULL,
  key uuid NOT NULL,
  payload jsonb,
  created_at timestamptz NOT NULL DEFAULT parvis_now());

CREATE TABLE exchange(
  id uuid NOT NULL,
  run_id uuid,
  step text,
  profile text NOT NULL,
  operation text NOT NULL,
  address text NOT NULL,
  status int,
  outcome text NOT NULL,
  idempotency_key text,
  request bytea,
  response bytea,
  data_key_id uuid,
  asked_at timestamptz NOT NULL,
  sent_at timestamptz,
  answered_at timestamptz,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE exchange_default PARTITION OF exchange DEFAULT;
CREATE INDEX ON exchange(run_id) WHERE run_id IS NOT NULL;
CREATE INDEX ON exchange(profile, ended_at DESC);
COMMENT ON COLUMN exchange.address IS 'pii=reference; purpose=library.preregistration; retention=12 months; eraser=row';
COMMENT ON COLUMN exchange.request IS 'pii=identity; purpose=library.preregistration; retention=30 days; eraser=data key';
COMMENT ON COLUMN exchange.response IS 'pii=identity; purpose=library.preregistration; retention=30 days; eraser=data key';

-- library -------------------------------------------------------------------------------------
CREATE TABLE preregistration(
  id uuid PRIMARY KEY,
  source text NOT NULL,
  subject text NOT NULL,
  citizen_id uuid NOT NULL,
  run_id uuid NOT NULL,
  place_id text,
  service_id text,
  state text NOT NULL DEFAULT 'staged'
    CHECK (state IN ('staged', 'transmitted', 'confirmed', 'activated', 'expired', 'withdrawn')),
  our_ref text NOT NULL UNIQUE,
  external_ref text,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  updated_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL,
  UNIQUE (source, subject));
CREATE INDEX ON preregistration(citizen_id);
CREATE INDEX ON preregistration(run_id);
COMMENT ON COLUMN preregistration.subject IS 'pii=reference; purpose=library.preregistration; retention=90 days unclaimed; eraser=row';
COMMENT ON COLUMN preregistration.external_ref IS 'pii=reference; purpose=library.preregistration; retention=90 days unclaimed; eraser=row';

CREATE TABLE access_code(
  id uuid PRIMARY KEY,
  preregistration_id uuid NOT NULL,
  run_id uuid NOT NULL,
  digest bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL,
  redeemed_at timestamptz);
CREATE INDEX ON access_code(run_id);

CREATE TABLE signup(
  id uuid PRIMARY KEY,
  token_digest bytea NOT NULL UNIQUE,
  placement text NOT NULL,
  body bytea NOT NULL,
  data_key_id uuid NOT NULL,
  sends int NOT NULL DEFAULT 0,
  sent_at timestamptz,
  tries int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL,
  verified_at timestamptz,
  run_id uuid);
CREATE INDEX ON signup(expires_at);
COMMENT ON COLUMN signup.body IS 'pii=identity; purpose=library.preregistration; retention=1 hour; eraser=data key';

CREATE TABLE attempt_counter(
  scope text NOT NULL,
  bucket bytea NOT NULL,
  window_start timestamptz NOT NULL,
  total int NOT NULL DEFAULT 0,
  PRIMARY KEY (scope, bucket, window_start));

-- consent -------------------------------------------------------------------------------------
CREATE TABLE purpose(
  id text NOT NULL,
  version int NOT NULL,
  title jsonb NOT NULL,
  text jsonb NOT NULL,
  legal_basis text NOT NULL,
  recipients jsonb NOT NULL,
  retention text NOT NULL,
  PRIMARY KEY (id, version));

CREATE TABLE notice(
  version text NOT NULL,
  locale text NOT NULL,
  sha256 text NOT NULL,
  text text NOT NULL,
  purposes text[] NOT NULL,
  recipients text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  PRIMARY KEY (version, locale));

CREATE TABLE consent_record(
  record_id uuid PRIMARY KEY,
  schema_version int NOT NULL DEFAULT 1,
  subject_ref text NOT NULL,
  controller text NOT NULL,
  purposes text[] NOT NULL,
  channel text NOT NULL DEFAULT 'none' CHECK (channel IN ('sms', 'email', 'web_push', 'post', 'none')),
  recipients text[] NOT NULL,
  notice_version text NOT NULL,
  notice_sha256 text NOT NULL,
  locale text NOT NULL,
  ui_evidence jsonb NOT NULL,
  collected_by text NOT NULL,
  event_type text NOT NULL CHECK (event_type IN ('given', 'refused', 'withdrawn', 'expired', 'renewed')),
  event_time timestamptz NOT NULL,
  validity_end timestamptz,
  parental_ref uuid,
  recorded_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX ON consent_record(subject_ref, event_time DESC);

-- people --------------------------------------------------------------------------------------
CREATE TABLE interest(
  citizen_id uuid NOT NULL,
  theme text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  PRIMARY KEY (citizen_id, theme));
COMMENT ON COLUMN interest.theme IS 'pii=interest; purpose=interests.profile; retention=until withdrawn; eraser=row';

CREATE TABLE notification(
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL,
  citizen_id uuid,
  template text NOT NULL,
  language text NOT NULL,
  channel text NOT NULL,
  purpose text NOT NULL,
  basis_record uuid,
  status text NOT NULL,
  profile text NOT NULL,
  provider_ref text,
  segments int,
  sent_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX ON notification(run_id);
CREATE INDEX ON notification(sent_at DESC);

-- offer ---------------------------------------------------------------------------------------
CREATE TABLE commune(
  code text PRIMARY KEY,
  name text NOT NULL,
  link int NOT NULL,
  department text NOT NULL,
  population int,
  postal_codes text[] NOT NULL,
  former_codes text[] NOT NULL,
  latitude double precision,
  longitude double precision,
  details jsonb NOT NULL DEFAULT '{}',
  source text NOT NULL,
  source_date text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX ON commune USING gin(postal_codes);

CREATE TABLE place(
  id text PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  commune text NOT NULL,
  address text,
  postal_code text,
  latitude double precision,
  longitude double precision,
  is_approximate boolean NOT NULL,
  weekly_hours double precision,
  is_public boolean NOT NULL,
  details jsonb NOT NULL,
  source text NOT NULL,
  source_date text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT parvis_now());
CREATE INDEX ON place(commune);

CREATE TABLE territory(id text PRIMARY KEY, communes text[] NOT NULL, retired_at timestamptz);

CREATE TABLE profile(
  id text PRIMARY KEY,
  connector text NOT NULL,
  settings jsonb NOT NULL,
  state text NOT NULL DEFAULT 'live' CHECK (state IN ('draft', 'live', 'paused', 'retired')),
  retired_at timestamptz);

CREATE TABLE service(
  id text PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  territory text,
  place_id text,
  min_level int NOT NULL DEFAULT 0,
  retired_at timestamptz);

CREATE TABLE binding(
  service_id text PRIMARY KEY REFERENCES service(id),
  profile_id text NOT NULL REFERENCES profile(id),
  settings jsonb NOT NULL);

CREATE TABLE breaker(
  profile text PRIMARY KEY,
  state text NOT NULL DEFAULT 'closed',
  failures int NOT NULL DEFAULT 0,
  reason text,
  opened_at timestamptz,
  next_probe_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT parvis_now());

CREATE TABLE secret(
  name text PRIMARY KEY,
  sealed bytea NOT NULL,
  expires_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT parvis_now());

CREATE TABLE config_revision(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  actor text NOT NULL,
  document jsonb NOT NULL,
  digest bytea NOT NULL,
  changes jsonb NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT parvis_now());

-- partners ------------------------------------------------------------------------------------
CREATE TABLE partner(
  id text PRIMARY KEY,
  name text NOT NULL,
  allowed_events text[] NOT NULL,
  territories text[] NOT NULL,
  handover text NOT NULL DEFAULT 'none',
  retired_at timestamptz);

CREATE TABLE partner_key(
  partner_id text NOT NULL REFERENCES partner(id),
  key_id text NOT NULL,
  scheme text NOT NULL CHECK (scheme IN ('v1', 'v1a')),
  secret_name text,
  public_key text,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  retired_at timestamptz,
  PRIMARY KEY (partner_id, key_id));

CREATE TABLE placement(
  token text PRIMARY KEY,
  poster text NOT NULL,
  place_name text NOT NULL,
  commune text NOT NULL,
  partner_id text,
  campaign text NOT NULL,
  status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'live', 'suspended', 'withdrawn')),
  valid_until timestamptz,
  revoked_at timestamptz,
  successor text,
  created_at timestamptz NOT NULL DEFAULT parvis_now());

CREATE TABLE scan_counter(
  placement text NOT NULL,
  day date NOT NULL,
  language text NOT NULL,
  browser text NOT NULL,
  total bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (placement, day, language, browser));

CREATE TABLE placement_report(
  placement text NOT NULL,
  day date NOT NULL,
  total bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (placement, day));

-- staff ---------------------------------------------------------------------------------------
CREATE TABLE console_link(
  digest bytea PRIMARY KEY,
  actor text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT parvis_now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz);
