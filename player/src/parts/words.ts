// SPDX-License-Identifier: GPL-3.0-or-later
// Problems in words: what happened and what to do. The server's own words come first where it has any.
import { Problem } from '../api';
import { t } from '../i18n';

export function wordsOf(error: unknown): string {
  if (!(error instanceof Problem)) return t('problem.unknown');
  if (error.status === 0) return t('problem.offline');
  if (error.status === 429) return t('problem.tooMany', { seconds: error.retryAfterSeconds ?? 60 });
  if (error.words !== '') return error.words;
  if (error.status === 403) return t('problem.forbidden');
  if (error.status === 404 || error.status === 410) return t('problem.gone');
  if (error.status === 503) return t('problem.busy');
  return t('problem.server', { status: error.status });
}
