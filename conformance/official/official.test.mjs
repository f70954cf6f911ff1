// The official conformance suite against examples/everything: both of its
// requirement sets, and what it has for the versions before them. A test is a scenario; it passes when each of its checks
// succeeded. Warnings and skipped checks count as failures here, unless
// baseline.yml says why the suite is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baseline, runSuite, scenariosOf, startServer } from './suite.mjs';

const baseline = new Baseline();

test('baseline.yml gives a reason for each entry', () => {
  for (const entry of baseline.entries) {
    for (const member of ['revision', 'scenario', 'check', 'status', 'reason']) assert.ok(entry[member], `${JSON.stringify(entry)} lacks ${member}`);
  }
});

/** Fails unless every check of a scenario succeeded, or is excused; returns the excuses. */
function judge(revision, scenario, checks) {
  assert.ok(checks, 'the suite did not run it');
  const excuses = [];
  const problems = [];
  let succeeded = 0;
  for (const check of checks) {
    if (check.status === 'SUCCESS') succeeded++;
    if (check.status === 'SUCCESS' || check.status === 'INFO') continue;
    const entry = baseline.find(revision, scenario, check);
    if (entry) excuses.push(entry.reason);
    else problems.push(`${check.status} ${check.id} (${check.name}): ${check.errorMessage ?? check.description}\n  ${JSON.stringify(check.details)}`);
  }
  assert.ok(problems.length === 0, problems.join('\n'));
  assert.ok(succeeded + excuses.length > 0, 'it checked nothing');
  return excuses;
}

/**
 * Runs the suite with these options against a server of its own, and judges what
 * wanted(names of the scenarios run) names, with a note each.
 */
async function runAndJudge(t, revision, options, wanted) {
  const server = await startServer();
  const { checks, stdout } = await runSuite(server.url, ...options);
  const { code, log } = await server.stop();
  const notes = wanted([...checks.keys()]);
  assert.deepEqual([...checks.keys()].sort(), [...notes.keys()].sort(), `left: run; right: asked for\n${stdout.slice(-2000)}`);
  for (const [scenario, note] of notes) {
    await t.test(`${revision} ${scenario}${note}`, st => {
      const excuses = judge(revision, scenario, checks.get(scenario));
      if (excuses.length > 0) st.skip(excuses.join(' '));
    });
  }
  await t.test(`${revision}: the server ends as it is told, and logged no panic`, () => {
    assert.equal(code, 0, log.join('\n'));
    assert.ok(!log.some(line => line.includes('panic')), log.join('\n'));
  });
}

for (const revision of ['2026-07-28', '2025-11-25']) {
  test(`requirements of ${revision}`, async t => {
    const { required, unscored } = scenariosOf(revision);
    const notes = new Map([...required.map(name => [name, '']), ...unscored.map(name => [name, ' (not scored)'])]);
    await runAndJudge(t, revision, ['--requirements', revision], () => notes);
  });
}

// Versions without a requirement set: whatever the suite has for them.
for (const version of ['2025-06-18', '2025-03-26']) {
  test(`scenarios of ${version}`, async t => {
    await runAndJudge(t, version, ['--suite', 'all', '--spec-version', version], names => new Map(names.map(name => [name, ''])));
  });
}

test('every entry of baseline.yml is still needed', () => {
  assert.deepEqual(baseline.stale(), []);
});
