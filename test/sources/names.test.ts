import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerDepth, containerOf, isBelow, namesOf } from '../../src/sources/cgroup/names.ts';

const ID = '0a'.repeat(32);

describe('the container in a path is', () => {
  const rows: readonly [path: string, container: string][] = [
    [`/docker/${ID}`, `/docker/${ID}`],
    ['/docker/0123', '/docker/0123'],
    [`/system.slice/docker-${ID}.scope/system.slice/a.service`, `/system.slice/docker-${ID}.scope`],
    ['/ecs/task/container/app', '/ecs/task/container'],
    [`/kubepods/burstable/pod0a-1b/${ID}/init`, `/kubepods/burstable/pod0a-1b/${ID}`],
    [
      '/kubepods.slice/kubepods-pod0a_1b.slice/crio-77.scope',
      '/kubepods.slice/kubepods-pod0a_1b.slice/crio-77.scope',
    ],
    [
      '/user.slice/user@1.service/user.slice/libpod-25.scope/container',
      '/user.slice/user@1.service/user.slice/libpod-25.scope',
    ],
    ['/machine.slice/libpod-25', '/machine.slice/libpod-25'],
    ['/lxc.payload.guest/system.slice/a.service', '/lxc.payload.guest'],
    ['/lxc/guest/init.scope', '/lxc/guest'],
    ['/lxc.payload.guest/docker/01', '/lxc.payload.guest/docker/01'],
    ['/system.slice:docker:0123', '/system.slice:docker:0123'],
  ];
  for (const [path, container] of rows) {
    test(`${path.replace(ID, 'ID')}: ${container.replace(ID, 'ID')}`, () => {
      assert.equal(containerDepth(path), namesOf(container).length);
    });
  }

  const none = [
    '/',
    '/system.slice/ecs-metrics.service',
    '/system.slice/docker.service',
    '/system.slice/docker-exporter.service',
    '/machine.slice/libpod-conmon-25.scope',
    '/kubepods.slice/kubepods-burstable.slice',
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a_1b.slice',
    '/user.slice/user-0.slice/session-1.scope',
    '/lxc.monitor.guest',
  ];
  for (const path of none) {
    test(`none in ${path}`, () => assert.equal(containerDepth(path), 0));
  }
});

describe('the group that a process’s container has is', () => {
  const rows: readonly [path: string, container: string][] = [
    ['/../app', '../app'],
    ['/../app/init.scope', '../app'],
    ['/../app/system.slice/nginx.service', '../app'],
    ['/../docker-ab.scope/system.slice/nginx.service', '../docker-ab.scope'],
    ['/../../other/app/container', '../../other/app'],
    ['/system.slice/agent.service', 'system.slice/agent.service'],
    ['/../system.slice/agent.service', '../system.slice/agent.service'],
    ['/init.scope', ''],
    ['/', ''],
  ];
  for (const [path, container] of rows) {
    test(`of ${path}: ${container || 'the root'}`, () => {
      assert.equal(containerOf(namesOf(path)).join('/'), container);
    });
  }
});

describe('a group lies in another', () => {
  const rows: readonly [names: string, group: string, expected: boolean][] = [
    ['/../app', '/../app', true],
    ['/../app/a', '/../app', true],
    ['/../app2', '/../app', false],
    ['/../app', '/../app/a', false],
    ['/a', '/', true],
    ['/../a', '/', false],
    ['/', '/', true],
    ['/../app', '/..', false],
  ];
  for (const [names, group, expected] of rows) {
    test(`${names} in ${group}: ${expected}`, () => {
      assert.equal(isBelow(namesOf(names), namesOf(group)), expected);
    });
  }
});
