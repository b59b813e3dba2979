import type { ModelConfig, ProviderName } from '../config/index.ts';
import type { Provider } from './provider.ts';

/** What speaks the protocol of each provider; no SDK is loaded but that of a provider that is asked, since each is megabytes. */
const PROVIDERS: Readonly<Record<ProviderName, (config: ModelConfig) => Promise<Provider>>> = {
  anthropic: async (config) => (await import('./anthropic.ts')).anthropicProvider(config),
  openai: async (config) =>
    config.api === 'responses'
      ? (await import('./responses.ts')).responsesProvider(config)
      : (await import('./openai.ts')).openaiProvider(config),
};

/** Loads what asks a model. @throws whatever its module throws. */
export function loadProvider(config: ModelConfig): Promise<Provider> {
  return PROVIDERS[config.provider](config);
}
