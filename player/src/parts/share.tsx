// SPDX-License-Identifier: GPL-3.0-or-later
// How far one got, as a line on a poster and in words for those who do not see it.
import { spokenTime, t } from '../i18n';

export function Share({ seconds, duration }: { seconds: number; duration: number }) {
  return (
    <span class="watched">
      <span style={{ '--share': `${Math.round((seconds / duration) * 100)}%` }} />
      <span class="unseen">{t('card.left', { time: spokenTime(duration - seconds, true) })}</span>
    </span>
  );
}
