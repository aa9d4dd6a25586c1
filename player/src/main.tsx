// SPDX-License-Identifier: GPL-3.0-or-later
// Starts the page: language and theme first, so that nothing flickers, then the app.
import { render } from 'preact';
import { App } from './app';
import { speak } from './i18n';
import { applyTheme, savedLanguage } from './prefs';
import { load } from './store';
import './styles/base.css';
import './styles/pages.css';

applyTheme();
const root = document.getElementById('app');
if (root) {
  await Promise.all([speak(savedLanguage()).catch(() => undefined), load()]);
  render(<App />, root);
}
