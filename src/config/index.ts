/** Files and environment become one frozen Config, or a list of every mistake. Never reads process.env by itself. */
export { type Config, type ConfigSource, parseConfig, problemsOf } from './parse.ts';
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
