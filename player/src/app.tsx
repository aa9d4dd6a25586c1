// SPDX-License-Identifier: GPL-3.0-or-later
// Which page is shown. Until someone is signed in that is decided by the server's state alone, and
// the address stays as it was, so that after signing in one is where one wanted to be.
import { lazy, LocationProvider, Route, Router } from 'preact-iso';
import { at } from './base';
import { Frame } from './parts/frame';
import { Live } from './parts/live';
import { Library } from './pages/library';
import { Login } from './pages/login';
import { NotFound } from './pages/not-found';
import { Unreachable } from './pages/unreachable';
import { phase } from './store';

const Downloads = lazy(() => import('./downloads/downloads').then((module) => module.Downloads));
const Invited = lazy(() => import('./pages/by-code').then((module) => module.Invited));
const NewPassword = lazy(() => import('./pages/by-code').then((module) => module.NewPassword));
const People = lazy(() => import('./people/people').then((module) => module.People));
const Show = lazy(() => import('./shows/show').then((module) => module.Show));
const Setup = lazy(() => import('./pages/setup').then((module) => module.Setup));
const Settings = lazy(() => import('./pages/settings').then((module) => module.Settings));
const Verify = lazy(() => import('./pages/verify').then((module) => module.Verify));
const Watch = lazy(() => import('./watch/watch').then((module) => module.Watch));
const Yours = lazy(() => import('./yours/yours').then((module) => module.Yours));

function Pages() {
  return (
    <Router>
      <Route path={at('/')} component={Library} />
      <Route path={at('/login')} component={Library} />
      <Route path={at('/setup')} component={Library} />
      <Route path={at('/downloads')} component={Downloads} />
      <Route path={at('/people')} component={People} />
      <Route path={at('/invite')} component={Invited} />
      <Route path={at('/reset')} component={NewPassword} />
      <Route path={at('/settings')} component={Settings} />
      <Route path={at('/show/:id')} component={Show} />
      <Route path={at('/verify')} component={Verify} />
      <Route path={at('/yours')} component={Yours} />
      <Route path={at('/watch/:id')} component={Watch} />
      <Route default component={NotFound} />
    </Router>
  );
}

function SignIn() {
  return <Frame bare><Login /></Frame>;
}

function Shown() {
  switch (phase.value) {
    case 'loading': return null;
    case 'setup': return <Router><Route path={at('/setup')} component={Setup} /><Route default component={Setup} /></Router>;
    case 'signed-out': return (
      <Router>
        <Route path={at('/invite')} component={Invited} />
        <Route path={at('/reset')} component={NewPassword} />
        <Route path={at('/verify')} component={Verify} />
        <Route default component={SignIn} />
      </Router>
    );
    case 'unreachable': return <Frame bare><Unreachable /></Frame>;
    case 'ready': return <Pages />;
  }
}

export function App() {
  return (
    <LocationProvider>
      <Shown />
      <Live />
    </LocationProvider>
  );
}
