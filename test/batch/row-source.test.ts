import { describe } from 'vitest';
import { describeRowSource } from './row-source.ts';

describe.each([
  { format: 'csv', ending: 'csv', lists: false, typed: false, specials: true },
  {
    format: 'csv',
    compression: 'gzip',
    ending: 'csv.gz',
    lists: false,
    typed: false,
    specials: true,
  },
  {
    format: 'csv',
    compression: 'zstd',
    ending: 'csv.zst',
    lists: false,
    typed: false,
    specials: true,
  },
  { format: 'jsonl', ending: 'jsonl', lists: true, typed: false, specials: false },
  {
    format: 'jsonl',
    compression: 'gzip',
    ending: 'jsonl.gz',
    lists: true,
    typed: false,
    specials: false,
  },
  {
    format: 'jsonl',
    compression: 'zstd',
    ending: 'jsonl.zst',
    lists: true,
    typed: false,
    specials: false,
  },
  { format: 'parquet', ending: 'parquet', lists: true, typed: true, specials: true },
  { format: 'arrow', ending: 'arrow', lists: true, typed: true, specials: true },
] as const)('rows of .$ending', (setting) => {
  describeRowSource(setting);
});
