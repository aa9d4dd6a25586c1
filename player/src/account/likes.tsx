// SPDX-License-Identifier: GPL-3.0-or-later
// How one likes films to begin, on all devices of one's account.
import { call, type Me } from '../api';
import { language, t } from '../i18n';
import { announce } from '../parts/live';
import { useAction } from '../parts/use-action';
import { saveTrack } from '../prefs';
import { me } from '../store';
import type { Likes as Preferences } from '../watch/likes';

/** The languages that most films are heard and read in. */
const LANGUAGES = [
  'ar', 'bg', 'ca', 'cs', 'da', 'de', 'el', 'en', 'es', 'et', 'fa', 'fi', 'fr', 'he', 'hi', 'hr', 'hu', 'id', 'is', 'it', 'ja',
  'ko', 'lt', 'lv', 'ms', 'nb', 'nl', 'pl', 'pt', 'ro', 'ru', 'sk', 'sl', 'sr', 'sv', 'th', 'tr', 'uk', 'vi', 'zh',
];
const HEIGHTS = [2160, 1440, 1080, 720, 480, 360];

type Option = [value: string, label: string];
type Change = Partial<Record<keyof Preferences, string | number | null>>;

function languages(now: string | undefined): Option[] {
  const names = new Intl.DisplayNames([language()], { type: 'language' });
  const all = now !== undefined && !LANGUAGES.includes(now) ? [...LANGUAGES, now] : LANGUAGES;
  return all.map((each): Option => [each, names.of(each) ?? each]).sort(([, a], [, b]) => a.localeCompare(b));
}

function Choose({ label, value, options, onChoose }: { label: string; value: string; options: Option[]; onChoose: (value: string) => void }) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(([key, name]) => <option key={key} value={key}>{name}</option>)}
      </select>
    </label>
  );
}

export function Likes() {
  const { problem, run } = useAction();
  const now = me.value?.preferences ?? {};
  const change = async (preferences: Change) => {
    if (!await run(async () => { me.value = await call<Me>('PATCH', '/me', { body: { preferences } }); })) return;
    // What was chosen in a film before would go before what is said here.
    if ('audio_language' in preferences) saveTrack('audio', undefined);
    if ('subtitles' in preferences || 'subtitle_language' in preferences) saveTrack('subtitle', undefined);
    announce(t('likes.saved'));
  };
  return (
    <section class="panel" aria-labelledby="likes">
      <h2 id="likes">{t('likes.title')}</h2>
      {problem && <p class="error" role="alert">{problem}</p>}
      <div class="bounds">
        <Choose
          label={t('likes.audio')} value={now.audio_language ?? ''} options={[['', t('likes.asItIs')], ...languages(now.audio_language)]}
          onChoose={(value) => void change({ audio_language: value || null })}
        />
        <Choose
          label={t('likes.subtitles')} value={now.subtitles ?? 'forced'}
          options={[['off', t('likes.off')], ['forced', t('likes.forced')], ['on', t('likes.on')]]}
          onChoose={(value) => void change({ subtitles: value, ...(value === 'on' && now.subtitle_language === undefined ? { subtitle_language: language() } : {}) })}
        />
        {now.subtitles === 'on' && (
          <Choose
            label={t('likes.read')} value={now.subtitle_language ?? language()} options={languages(now.subtitle_language)}
            onChoose={(value) => void change({ subtitle_language: value })}
          />
        )}
        <Choose
          label={t('likes.height')} value={String(now.max_height ?? '')} options={[['', t('likes.any')], ...HEIGHTS.map((each): Option => [String(each), `${each}p`])]}
          onChoose={(value) => void change({ max_height: value === '' ? null : Number(value) })}
        />
      </div>
    </section>
  );
}
