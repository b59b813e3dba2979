/** Files and environment become one frozen Config, or a list of every mistake. Never reads process.env by itself. */
export type { ConsoleConfig, OidcConfig } from './console.ts';
export type { CorrelationConfig } from './correlation.ts';
export type { EmbeddingsConfig, RemoteEmbeddingsConfig } from './embeddings.ts';
export { withSecretFiles } from './environment.ts';
export {
  type DeadManConfig,
  type EscalationConfig,
  type PagerDutyEventsConfig,
  type SmtpConfig,
  WATCHDOG,
} from './escalation.ts';
export { editorSchema } from './json-schema.ts';
export {
  type InvestigationConfig,
  inDollars,
  investigationSchema,
  type JudgeConfig,
  MODEL_ROLES,
  MODEL_TIERS,
  type ModelConfig,
  type ModelPrice,
  type ModelRole,
  type ModelTier,
  modelName,
  modelNameProblems,
  modelSchema,
  type RouteConfig,
  type RoutingConfig,
  type SpendingConfig,
  spendingSchema,
} from './models.ts';
export type { OAuthConfig } from './oauth.ts';
export { type Config, type ConfigSource, parseConfig } from './parse.ts';
export { problemsOf } from './problems.ts';
export { ADDRESS_VARIABLES, KEY_VARIABLES, PROVIDERS, type ProviderName } from './providers.ts';
export type { RetentionConfig } from './retention.ts';
export type { RunbookRemote } from './runbooks.ts';
export {
  type AutonomyMode,
  type FileConfig,
  matchSchema,
  modeSchema,
  type PersonConfig,
  personNameSchema,
  ROLES,
  type Role,
  type SlackConfig,
  type ToolsetInstanceConfig,
} from './schema.ts';
export type { SelfWatchConfig } from './self-watch.ts';
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
export type { TracingConfig } from './tracing.ts';
export { readYamlText } from './yaml-text.ts';
