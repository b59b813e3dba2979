/** Whom models can be asked of. One more is an entry here, and a file in src/llm that speaks its protocol, named in src/llm/load-provider.ts. */
export const PROVIDERS = {
  anthropic: {
    company: 'Anthropic',
    baseUrl: 'https://api.anthropic.com',
    model: 'claude-sonnet-5-5',
    priced: 'claude-',
    listed: {
      path: '/v1/models?limit=1000',
      headers: (key: string) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    },
  },
  openai: {
    company: 'OpenAI, or of a compatible server,',
    baseUrl: 'https://api.openai.com/v1',
    model: 'gpt-6.1-sol',
    priced: 'gpt-',
    listed: { path: '/models', headers: (key: string) => ({ authorization: `Bearer ${key}` }) },
  },
} as const satisfies Readonly<Record<string, ModelProvider>>;

export type ProviderName = keyof typeof PROVIDERS;
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as [ProviderName, ...ProviderName[]];
/** The variables of the environment that hold a key of each. */
export const KEY_VARIABLES = PROVIDER_NAMES.map((name) => `${name.toUpperCase()}_API_KEY`);
/** Those that say where each is asked; one of them alone makes a model known as well. */
export const ADDRESS_VARIABLES = PROVIDER_NAMES.map((name) => `${name.toUpperCase()}_BASE_URL`);

/** What is known of a provider before it is asked. */
interface ModelProvider {
  /** As documents call it. */
  readonly company: string;
  /** Where it is asked, unless `baseUrl` says otherwise. */
  readonly baseUrl: string;
  /** The model that is asked where nobody names one. */
  readonly model: string;
  /** How its models begin in the list of prices. */
  readonly priced: string;
  /** Where it lists its models, and what with. */
  readonly listed: { readonly path: string; readonly headers: (key: string) => Readonly<Record<string, string>> };
}
