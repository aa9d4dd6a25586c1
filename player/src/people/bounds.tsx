// SPDX-License-Identifier: GPL-3.0-or-later
// What an account may: its role, a child's age and whether it sees what no age is known of, and how many
// films at once. Shown for those there are and those that are invited.
import type { Role, Shape } from '../api';
import { t } from '../i18n';

export interface Bounds { role: Role; age: number; unrated: boolean; streams: number }

const ROLES: Role[] = ['member', 'child', 'admin'];
/** The ages that those who rate films use, here and there. */
const AGES = [0, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
const STREAMS = [0, 1, 2, 3, 4, 6, 8];

export const MEMBER: Bounds = { role: 'member', age: 12, unrated: false, streams: 0 };

export const boundsOf = ({ role, age_limit, unrated, streams }: Shape<'User'> | Shape<'Invite'>): Bounds =>
  ({ role, age: age_limit ?? MEMBER.age, unrated: unrated ?? false, streams: streams ?? 0 });

/** As the server takes them: what is of children is said of children alone. */
export const wishOf = ({ role, age, unrated, streams }: Bounds) =>
  ({ role, streams, ...(role === 'child' ? { age_limit: age, unrated } : {}) });

/** "Child, films up to 12 years" */
export function boundsWords({ role, age, streams }: Bounds): string {
  const parts = [t(`role.${role}`)];
  if (role === 'child') parts.push(t('people.upTo', { age }));
  if (streams > 0) parts.push(t('people.streamsAtOnce', { count: streams }));
  return parts.join(' · ');
}

/** With the values that there are already, even if they are none that we would offer. */
const withValue = (list: number[], value: number) => (list.includes(value) ? list : [...list, value].sort((a, b) => a - b));

function Choose({ label, value, options, wordsOf, onChoose }: {
  label: string; value: number; options: number[]; wordsOf: (option: number) => string; onChoose: (value: number) => void;
}) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(Number(event.currentTarget.value))}>
        {withValue(options, value).map((option) => <option key={option} value={option}>{wordsOf(option)}</option>)}
      </select>
    </label>
  );
}

export function BoundsFields({ bounds, onChange }: { bounds: Bounds; onChange: (next: Bounds) => void }) {
  const { role, age, unrated, streams } = bounds;
  const chooseRole = (name: string) => {
    const next = ROLES.find((each) => each === name);
    if (next) onChange({ ...bounds, role: next });
  };
  return (
    <div class="bounds">
      <label class="field">
        <span>{t('people.role')}</span>
        <select value={role} onChange={(event) => chooseRole(event.currentTarget.value)}>
          {ROLES.map((each) => <option key={each} value={each}>{t(`role.${each}`)}</option>)}
        </select>
      </label>
      {role === 'child' && (
        <Choose
          label={t('people.age')} value={age} options={AGES} wordsOf={(years) => t('people.years', { count: years })}
          onChoose={(next) => onChange({ ...bounds, age: next })}
        />
      )}
      <Choose
        label={t('people.streams')} value={streams} options={STREAMS}
        wordsOf={(count) => (count === 0 ? t('people.anyNumber') : String(count))} onChoose={(next) => onChange({ ...bounds, streams: next })}
      />
      {role === 'child' && (
        <label class="tick">
          <input type="checkbox" checked={unrated} onChange={(event) => onChange({ ...bounds, unrated: event.currentTarget.checked })} />
          {t('people.unrated')}
        </label>
      )}
    </div>
  );
}
