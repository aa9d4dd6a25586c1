// SPDX-License-Identifier: GPL-3.0-or-later
// What a person can choose for this browser, and what this connection withholds and why.
import { lazy } from 'preact-iso';
import { LANGUAGES, isLanguage, language, speak, t } from '../i18n';
import { Frame, usePageTitle } from '../parts/frame';
import { saveLanguage, setSingleKeys, setTheme, singleKeys, theme } from '../prefs';
import { hasAccounts, status } from '../store';

const Account = lazy(() => import('../account/account').then((module) => module.Account));

function Choice({ legend, name, options, value, onChoose }: {
  legend: string; name: string; options: [value: string, label: string][]; value: string; onChoose: (value: string) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map(([key, label]) => (
        <label key={key}>
          <input type="radio" name={name} value={key} checked={value === key} onChange={() => onChoose(key)} />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

export function Settings() {
  usePageTitle(t('settings.title'));
  const chooseLanguage = (next: string) => {
    if (!isLanguage(next)) return;
    saveLanguage(next);
    void speak(next);
  };
  return (
    <Frame>
      <div class="column">
        <h1>{t('settings.title')}</h1>
        <section class="panel">
          <Choice legend={t('settings.language')} name="language" value={language()} options={Object.entries(LANGUAGES)} onChoose={chooseLanguage} />
          <Choice
            legend={t('settings.theme')} name="theme" value={theme.value}
            options={[['dark', t('settings.dark')], ['light', t('settings.light')]]}
            onChoose={(next) => setTheme(next === 'light' ? 'light' : 'dark')}
          />
          <fieldset class="choice">
            <legend>{t('settings.keyboard')}</legend>
            <label>
              <input type="checkbox" checked={singleKeys.value} onChange={(event) => setSingleKeys(event.currentTarget.checked)} />
              {t('settings.singleKeys')}
            </label>
            <p class="hint">{t('settings.singleKeysHint')}</p>
          </fieldset>
        </section>
        {hasAccounts.value && <Account />}
        {!window.isSecureContext && (
          <section class="panel">
            <h2>{t('settings.plainTitle')}</h2>
            <p>{t('settings.plainText')}</p>
          </section>
        )}
        <p class="hint">{t('settings.version', { version: status.value?.version ?? '?' })}</p>
      </div>
    </Frame>
  );
}
