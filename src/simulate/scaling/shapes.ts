/**
 * Traffic of one model: requests per second over time, and which part of them is heavy. Those in `TUNING` are for
 * choosing numbers, those in `MEASURED` for judging them: none is in both.
 */

export interface Shape {
  readonly name: string;
  readonly seconds: number;
  /** Requests per second. */
  readonly rateAt: (second: number) => number;
  /** Share of them that compute for most of their time; the others wait for something else. */
  readonly heavyAt: (second: number) => number;
}

const LENGTH = 1800;

export const TUNING: readonly Shape[] = [
  make(
    'ramp up and down',
    (t) => between(10, 90, triangle(t / LENGTH)),
    () => 0.5,
  ),
  make(
    'bursts of half as much again',
    (t) => (t % 600 < 240 ? 60 : 40),
    () => 0.5,
  ),
  make(
    'day of 30 minutes',
    (t) => between(15, 80, wave(t / LENGTH)),
    (t) => between(0.2, 0.8, wave(t / LENGTH + 0.25)),
  ),
  make(
    'noise',
    (t) => 50 * noise(t, 20, 0.3, 7),
    (t) => between(0.2, 0.8, wave(t / 600)),
  ),
];

export const MEASURED: readonly Shape[] = [
  make(
    'two slopes, mostly light',
    (t) => (t < 1200 ? between(10, 70, t / 1200) : between(70, 20, (t - 1200) / 600)),
    () => 0.2,
  ),
  make(
    'two slopes, mostly heavy',
    (t) => (t < 1200 ? between(8, 50, t / 1200) : between(50, 15, (t - 1200) / 600)),
    () => 0.8,
  ),
  make(
    'bursts of two thirds more',
    (t) => (t % 900 >= 300 && t % 900 < 480 ? 50 : 30),
    () => 0.6,
  ),
  make(
    'two days of 15 minutes',
    (t) => between(12, 75, wave((2 * t) / LENGTH)),
    (t) => between(0.1, 0.9, wave(t / LENGTH + 0.6)),
  ),
  make(
    'noise, coarser',
    (t) => 45 * noise(t, 45, 0.35, 11),
    () => 0.5,
  ),
];

function make(
  name: string,
  rateAt: (second: number) => number,
  heavyAt: (second: number) => number,
): Shape {
  return { name, seconds: LENGTH, rateAt, heavyAt };
}

function between(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}

/** 0 at the ends, 1 in the middle. */
function triangle(x: number): number {
  return 1 - Math.abs(2 * x - 1);
}

/** From 0 to 1 and back, once in 1. */
function wave(x: number): number {
  return (1 - Math.cos(2 * Math.PI * x)) / 2;
}

/** Around 1, by up to `spread`: another level each `step` seconds, with slopes between them. */
function noise(second: number, step: number, spread: number, seed: number): number {
  const at = Math.floor(second / step);
  const level = between(levelOf(at, seed), levelOf(at + 1, seed), second / step - at);
  return 1 + spread * level;
}

/** Between -1 and 1, the same for the same numbers. */
function levelOf(at: number, seed: number): number {
  const x = Math.sin(at * 127.1 + seed * 311.7) * 43_758.545;
  return 2 * (x - Math.floor(x)) - 1;
}
