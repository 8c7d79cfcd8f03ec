"""Set the smart host logins and passwords of many accounts at once: one edit of the store, one write of the sealed file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailpolicy.cli import provisioning
from mailpolicy.cli.editing import carry_out, print_outcome
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials
from mailpolicy.cli.secrets.passwords import password
from mailpolicy.cli.secrets.pending import changing_secrets
from mailpolicy.cli.secrets.secret_edits import planned_edit, refuse_other_login, refuse_others, require_destination
from mailpolicy.cli.secrets.transaction import SecretsChange, apply, report, settle
from mailpolicy.edit.plan import Change, Plan, Result
from mailpolicy.edit.server import set_login, unused_login
from mailpolicy.edit.transaction import planned_policy
from mailpolicy.errors import UsageError
from mailpolicy.policy import bindings, names
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.provisioning import forms
from mailpolicy.provisioning.rows import BadRows, Mistake, Rows
from mailpolicy.provisioning.values import ValueRejected
from mailpolicy.store.store import Store

_KEYS = ("address", "login", "password")


class Login(NamedTuple):
    """The login and password of one account, from one line; the login is None if it stays."""

    line: int
    login: str | None
    password: str


def import_all(out: Output, *, dry_run: bool) -> int:
    """Set the logins and passwords that stdin lists."""
    wanted = _read("-", provisioning.content_of("-"))

    def planner(policy: Policy) -> Plan:
        return _plan(policy, wanted)

    store = Store.read_for_edit(out.context.file, wanted, out.cache)
    plan = planned_edit(out, store, planner)
    before, secrets = _secrets(store, plan, wanted)
    keyring = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        them = "it" if len(wanted) == 1 else "them"
        out.message(
            f"{counted(len(wanted), 'password')} would be set, if the keyring accepts {them} (not checked by a dry run)"
        )
        return print_outcome(out, trial, dry_run=True)
    keyring.get_many([secret.user for secret in secrets.values()])  # unlocks it, before anybody else has to wait
    with changing_secrets(out, store, plan) as now:
        if now is not store:
            plan, asked = planned_edit(out, now, planner), secrets
            after, secrets = _secrets(now, plan, wanted)
            same = {secret: secret for secret in asked.values()}
            refuse_others(out, {asked[address]: secret for address, secret in secrets.items()}, same)
            for address in secrets:
                refuse_other_login(out, before, after, Owner(address))
        kept = keyring.get_many([secret.user for secret in secrets.values()])
        new = {address for address, secret in secrets.items() if kept.get(secret.user) != wanted[address].password}
        put = {secrets[address].user: wanted[address].password for address in wanted if address in new}
        outcome, remaining, error = apply(out, now, planner, plan, keyring, SecretsChange(put))
        for address, secret in secrets.items():
            owner = secret.owner
            outcome.plan.results.append(Result(owner.subject, owner.item, "in the keyring", address in new))
            if address in new:
                outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
        settle(out, now, outcome, list(put), remaining)
    return report(out, outcome, error)


def _secrets(store: Store, plan: Plan, wanted: Iterable[str]) -> tuple[Policy, dict[str, Secret]]:
    """Return the policy that a plan makes, and the secrets of accounts there. Raises Refused."""
    after = planned_policy(store, plan)
    secrets = {address: bindings.secret_of(after, Owner(address)) for address in wanted}
    for secret in secrets.values():
        require_destination(secret)
    return after, secrets


def _read(file: str, data: bytes) -> Mapping[str, Login]:
    """Return the logins and passwords by account. Raises BadRows, with nothing of a line but the address."""
    rows = Rows(file)
    found = {}
    for line, text in enumerate(forms.text_of(file, data).split("\n"), 1):
        if not text.strip():
            continue
        try:
            table = forms.parsed(text)
        except ValueRejected as error:
            rows.mistake(line, str(error))
            continue
        if type(named := table.get("address")) is not str or (address := rows.address(line, named)) is None:
            if type(named) is not str:
                rows.mistake(line, 'the object has no address: write "address": "alice@example.com"')
            continue
        rows.add(address, line, {})
        if wrong := _mistakes(table):
            rows.mistake(line, f"{address}: {'; '.join(wrong)}")
        else:
            found[address] = Login(line, table.get("login"), table["password"])
    rows.finished()
    return found


def _mistakes(table: Mapping[str, object]) -> list[str]:
    wrong = []
    if table.keys() - set(_KEYS):
        wrong.append(f"there are other keys than {names.joined(_KEYS)}")
    try:
        login = table.get("login")
        if login is not None:
            names.login(login if type(login) is str else "")
    except names.NameRejected:
        wrong.append("the login has 1 to 255 characters without control characters or white space at either end")
    try:
        secret = table.get("password")
        if type(secret) is not str:
            wrong.append("there is no password")
        elif password(secret) != secret:
            raise UsageError("the password contains a newline or a NUL: give a single line")
    except UsageError as error:
        wrong.append(str(error))
    return wrong


def _plan(policy: Policy, wanted: Mapping[str, Login]) -> Plan:
    plan = Plan()
    unknown = [
        Mistake("-", one.line, f"no account {address}")
        for address, one in wanted.items()
        if address not in policy.accounts
    ]
    without = [
        Mistake("-", one.line, f"{address} has no login yet: add one to the line")
        for address, one in wanted.items()
        if one.login is None and address in policy.accounts and policy.accounts[address].login is None
    ]
    if unknown or without:
        code = "no-such-account" if unknown else "no-login"
        raise BadRows([*unknown, *without], exit_status=4 if unknown else 5, code=code)
    for address, one in wanted.items():
        part = set_login(policy, address, one.login)
        plan.extend(part)
        login = one.login or policy.accounts[address].login
        plan.results.append(Result(address, "smart-host", f"login {login}", bool(part.operations)))
    plan.notes += unused_login(policy)
    return plan
