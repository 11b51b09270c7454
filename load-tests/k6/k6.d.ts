/** What the scripts use of the modules that k6 brings itself. */

declare const __ENV: Readonly<Record<string, string>>;

declare module 'k6' {
  export function check<T>(
    value: T,
    checks: Readonly<Record<string, (value: T) => boolean>>,
  ): boolean;
  export function sleep(seconds: number): void;
}

declare module 'k6/http' {
  interface Answer {
    readonly status: number;
    /** By their canonical names, such as `Rouse-Revision`. */
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }
  interface Http {
    post(
      url: string,
      body: string,
      params?: { readonly headers?: Readonly<Record<string, string>> },
    ): Answer;
  }
  const http: Http;
  // oxlint-disable-next-line import/no-default-export -- this is how k6 has it.
  export default http;
}

declare module 'k6/metrics' {
  export class Counter {
    constructor(name: string);
    add(value: number): void;
  }
  export class Rate {
    constructor(name: string);
    add(value: boolean): void;
  }
}

declare module 'k6/execution' {
  const execution: {
    readonly scenario: { readonly iterationInTest: number };
  };
  // oxlint-disable-next-line import/no-default-export -- this is how k6 has it.
  export default execution;
}
