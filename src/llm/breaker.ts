/** Keeps questions away from an endpoint that keeps failing. */
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { ModelFailure } from './failure.ts';

/** Failures in a row after which an endpoint is left alone. */
const FAILURES = 5;
/** For how long. */
const OPEN_MS = 30_000;
/** Then so many questions are let through, and all of them must be answered; the first failure begins it anew. */
const PROBES = 3;

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

const STATES: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
};

export interface Breaker {
  readonly state: BreakerState;
  /** Until when no question is let through, in milliseconds since 1970; 0 where it is not open. */
  readonly openUntil: number;
  /** Whether a question would be let through now; asks nobody and takes no time. */
  admits(): boolean;
  /** Runs one question, whose failure counts where it is the endpoint's. @throws whatever it throws, or `unavailable` while it does not admit. */
  run<T>(question: () => Promise<T>): Promise<T>;
}

/** Makes the breaker of one endpoint; `onChange` is told of every new state. */
export function createBreaker(onChange: (state: BreakerState) => void): Breaker {
  let opened = Number.NEGATIVE_INFINITY;
  let probes = 0;
  const policy = circuitBreaker(
    handleWhen((error) => error instanceof ModelFailure && error.isEndpointsFault),
    {
      halfOpenAfter: OPEN_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
      halfOpenSampling: { calls: PROBES, threshold: 0 },
    },
  );
  policy.onStateChange((state) => {
    if (state === CircuitState.Open) opened = Date.now();
    probes = 0;
    onChange(STATES[state]);
  });
  const admits = () => {
    if (policy.state === CircuitState.Open) return Date.now() - opened >= OPEN_MS;
    // The library lets those beyond the probes wait for the outcome; here the next model is asked.
    return policy.state !== CircuitState.HalfOpen || probes < PROBES;
  };
  return {
    get state() {
      return STATES[policy.state];
    },
    get openUntil() {
      return policy.state === CircuitState.Open ? opened + OPEN_MS : 0;
    },
    admits,
    async run(question) {
      if (!admits()) throw new ModelFailure('unavailable', 'it kept failing, so it is left alone for now');
      return policy.execute(() => {
        if (policy.state === CircuitState.HalfOpen) probes += 1;
        return question();
      });
    },
  };
}
