/** Files and environment become one frozen Config, or a list of every mistake. Never reads process.env by itself. */
export type { CorrelationConfig } from './correlation.ts';
export type { EmbeddingsConfig, RemoteEmbeddingsConfig } from './embeddings.ts';
export {
  type DeadManConfig,
  type EscalationConfig,
  type PagerDutyEventsConfig,
  type SmtpConfig,
  WATCHDOG,
} from './escalation.ts';
export type { OAuthConfig } from './oauth.ts';
export { type Config, type ConfigSource, parseConfig } from './parse.ts';
export { problemsOf } from './problems.ts';
export type { RunbookRemote } from './runbooks.ts';
export {
  type AutonomyMode,
  type FileConfig,
  type ModelConfig,
  matchSchema,
  modeSchema,
  type PersonConfig,
  personNameSchema,
  ROLES,
  type Role,
  type SlackConfig,
  type ToolsetInstanceConfig,
} from './schema.ts';
export type { Service, Services } from './services.ts';
export {
  type AlertmanagerSource,
  type GrafanaSource,
  isShippedMapping,
  type JsonSource,
  type PagerDutySource,
  SHIPPED_MAPPINGS,
  type SourceConfig,
  type Sources,
} from './sources.ts';
