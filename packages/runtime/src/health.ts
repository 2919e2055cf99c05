/**
 * Readiness, told honestly: each part answers for itself at the moment of asking, and the whole is ready only when every part is.
 * Liveness needs no code: a process whose event loop turns answers.
 */

export interface HealthCheck {
  readonly ok: boolean;
  /** What is wrong, or what is running; in words. */
  readonly detail: string;
}

export interface HealthReport {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

export interface Health {
  register(name: string, check: () => HealthCheck): void;
  report(): HealthReport;
}

export function createHealth(): Health {
  const checks = new Map<string, () => HealthCheck>();
  return {
    register(name, check) {
      checks.set(name, check);
    },
    report() {
      const results = [...checks].map(([name, check]) => [name, ask(check)] as const);
      return { ready: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) };
    },
  };
}

function ask(check: () => HealthCheck): HealthCheck {
  try {
    return check();
  } catch (thrown) {
    return { ok: false, detail: `the check itself failed: ${String(thrown)}` };
  }
}
