"""What a signal gets and says: one panel for each family of calls, one mark or one reason to skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.finding import Evidence, Family, Link, Skipped

Keys = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LOG_E_MAX = 700.0
"""Natural logarithm at which an e-value stops growing: exp(700) is the last power a float64 holds."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one family, sorted by account, then time, then event.

    Shapes:  every field has n entries. `account` indexes `Panel.accounts`; `tested` is false on the blocks
             of time that were used to choose the family; `item` names what was asked inside the template; keys are
             pseudonyms and 0 where absent; counts are -1 where absent. `issuer` is the owner who was issued a reasoning
             block that the call presented although its own owner was not, `taker` the owner who so presented a block
             that the call was issued; 0 where there is none.
    Units:   time_us is microseconds since the epoch.
    """

    account: Ints
    time_us: Ints
    tested: npt.NDArray[np.bool_]
    item: Keys
    topic: Keys
    model: Keys
    phrases: npt.NDArray[np.uint32]
    turn_index: Ints
    choice_count: Ints
    max_tokens: Ints
    output_tokens: Ints
    flags: npt.NDArray[np.uint32]
    session: Keys
    end_user: Keys
    path: Keys
    agent: Keys
    tls: Keys
    tools: Keys
    status: Ints
    input_tokens: Ints
    words: Ints
    issuer: Keys
    taker: Keys

    @staticmethod
    def of(account: Ints, time_us: Ints, tested: npt.NDArray[np.bool_], **known: npt.NDArray[Any]) -> Calls:
        """Return calls of which only the given columns are known; the others are absent."""
        count = len(account)
        columns: dict[str, npt.NDArray[Any]] = {name: np.zeros(count, dtype=np.uint64) for name in KEY_FIELDS}
        columns |= {name: np.full(count, -1) for name in COUNT_FIELDS}
        columns |= {name: np.zeros(count, dtype=np.uint32) for name in ("phrases", "flags")}
        columns |= {name: np.zeros(count, dtype=np.int64) for name in ("output_tokens", "words")}
        columns |= {name: values.astype(columns[name].dtype) for name, values in known.items()}
        return Calls(account, time_us, tested, **columns)


KEY_FIELDS = ("item", "topic", "model", "session", "end_user", "path", "agent", "tls", "tools", "issuer", "taker")
COUNT_FIELDS = ("turn_index", "choice_count", "max_tokens", "status", "input_tokens")


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the provider says of a family's accounts, beside owner and sign-up.

    Shapes:  K entries each. `closed_us` is -1 where the account is open or nothing is known; `banned` says that the
             provider closed it. `programme`, `declared_use`, `plan` and `verification` are codes of
             `engines.accounts.CODES`, 0 where unknown. `end_users`, `clients` (TLS fingerprints), `agents` and
             `toolsets` count different values in all calls of the account, in and out of the family; 0 where none.
    """

    closed_us: Ints
    banned: npt.NDArray[np.bool_]
    reseller: npt.NDArray[np.bool_]
    programme: Ints
    declared_use: Ints
    plan: Ints
    verification: Ints
    end_users: Ints
    clients: Ints
    agents: Ints
    toolsets: Ints

    @staticmethod
    def of(accounts_count: int, **known: npt.NDArray[Any]) -> AccountFacts:
        """Return facts of which only the given columns are known."""
        columns: dict[str, npt.NDArray[Any]] = {
            each.name: np.zeros(accounts_count, dtype=bool if each.name in ("banned", "reseller") else np.int64)
            for each in fields(AccountFacts)
        }
        columns["closed_us"] = np.full(accounts_count, -1)
        columns |= {name: values.astype(columns[name].dtype) for name, values in known.items()}
        return AccountFacts(**columns)


@dataclass(frozen=True, slots=True)
class SharedValues:
    """The values of one kind of identifier that accounts of the family share with any account.

    Shapes:  value, degree: v entries; `holder_value` and `holder_account` index values and the family's
             accounts, one entry for each pair. `degree` counts owners in the whole population.
    """

    kind: str
    value: Keys
    degree: Ints
    holder_value: Ints
    holder_account: Ints


@dataclass(frozen=True, slots=True)
class Population:
    """What is true of the whole log: how many owners of accounts, when they signed up, how calls spread over time.

    Shapes:  created_us ascending, the first known sign-up of each owner that came by itself, through no programme of
             the provider's; `block_calls` are the calls
             of all accounts in consecutive stretches of `block_us` from number `block_first` on, and `block_tested` is
             true for the stretches that were not used to choose families. `models` are the most used ones, and
             `model_calls` int64[models, stretches] their calls. `programme_tenths` int64[codes, 10] is the most calls
             that an account makes in each tenth of a programme's accounts, the quietest first; 0 for too few.
    """

    owners_count: int
    created_us: Ints
    block_us: int
    block_first: int
    block_calls: Ints
    block_tested: npt.NDArray[np.bool_]
    models: Keys = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    model_calls: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    programme_tenths: Ints = field(default_factory=lambda: np.zeros((0, 10), dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Panel:
    """One family of calls under test. An account's owner is its organisation or, where that is unknown, itself.

    Shapes:  accounts, organizations, account_calls, created_us: K entries; organizations are 0 and
             created_us -1 where unknown; account_calls counts all calls of the account, in and out of the family.
             `kept` is the share of the family's items that `calls` holds, below 1 in the largest families. `leave_out`
             says that somebody reads `Mark.log_e_without`: where not, a signal may save itself the work.
    """

    group_id: str
    accounts: Keys
    organizations: Keys
    account_calls: Ints
    created_us: Ints
    facts: AccountFacts
    calls: Calls
    shared: tuple[SharedValues, ...]
    population: Population
    available: frozenset[str] = frozenset()
    kept: float = 1.0
    leave_out: bool = True

    def pool(self, carriers: npt.NDArray[np.bool_] | None = None) -> Pool:
        """Return what is needed of the family once the signals have spoken."""
        calls = np.bincount(self.calls.account, minlength=len(self.accounts)).astype(np.int64)
        carrying = np.zeros(len(self.accounts), dtype=bool) if carriers is None else carriers
        return Pool(self.group_id, self.accounts, self.organizations, self.account_calls, calls, carrying, self.kept)

    def owners(self) -> tuple[Ints, int]:
        """Return each account's owner as an index, int64[K], and the number of owners."""
        return owners_of(self.accounts, self.organizations)


@dataclass(frozen=True, slots=True)
class Pool:
    """The accounts of one family, and how many calls each made: in all (`account_calls`) and in the family (`calls`,
    of which the share `kept` is counted).

    `carriers` are accounts that pass on other people's requests.

    Shapes:  K entries each, in the order of `Panel.accounts`.
    """

    group_id: str
    accounts: Keys
    organizations: Keys
    account_calls: Ints
    calls: Ints
    carriers: npt.NDArray[np.bool_]
    kept: float = 1.0

    @property
    def shares(self) -> Floats:
        """What part of each account's calls is in the family: float64[K], 0 to 1."""
        return np.minimum(1.0, self.calls / (self.kept * np.maximum(self.account_calls, 1)))

    @property
    def events_count(self) -> int:
        """How many calls the family has; an estimate where not all are counted."""
        return round(int(self.calls.sum()) / self.kept)

    def owners(self) -> tuple[Ints, int]:
        """Return each account's owner as an index, int64[K], and the number of owners."""
        return owners_of(self.accounts, self.organizations)


def owners_of(accounts: Keys, organizations: Keys) -> tuple[Ints, int]:
    """Return each account's owner as an index, int64[K], and the number of owners: its organisation, or itself."""
    found, owner = np.unique(np.where(organizations == 0, accounts, organizations), return_inverse=True)
    return owner.astype(np.int64), len(found)


def first_by_owner(owner: Ints, created_us: Ints) -> Ints:
    """Return when each owner first signed up, ascending; an entry an account in."""
    order = np.lexsort((created_us, owner))
    _, first = np.unique(owner[order], return_index=True)
    return np.sort(created_us[order][first])


@dataclass(frozen=True, slots=True)
class Mark:
    """What one signal concludes on one family.

    `log_e` is the natural logarithm of an e-value against the signal's null, None where it has none;
    `log_e_without[a]` is the same with account a left out. `score` is what the extraction axis reads. `linked` are
    accounts that share a rare value; `tied` those that the evidence is about, None where it is about the whole pool.
    """

    ident: str
    family: Family
    log_e: float | None
    evidence: tuple[Evidence, ...]
    counter_evidence: tuple[Evidence, ...] = ()
    log_e_without: Floats | None = None
    score: float | None = None
    links: tuple[Link, ...] = ()
    linked: npt.NDArray[np.bool_] | None = None
    tied: npt.NDArray[np.bool_] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


class Signal(Protocol):
    """The shape of a signal module: what it is called, what it needs, what it concludes."""

    IDENT: str
    FAMILY: Family
    NEEDS: frozenset[str]

    def conclude(self, panel: Panel) -> Mark | Skipped: ...


def log_e_from_log_p(log_p: float) -> float:
    """Return log e of the calibrator that averages k·p^(k-1) over k in (0, 1).

    Source:  Vovk and Wang 2021, "E-values: calibration, combination and applications".
    """
    if log_p > -1e-3:
        # The closed form takes a difference of nearly equal numbers here; its power series does not.
        return float(np.log(0.5 - log_p / 6 + log_p**2 / 24))
    if log_p < -2 * LOG_E_MAX:
        return LOG_E_MAX
    if log_p < -40:
        return min(LOG_E_MAX, float(-log_p - 2 * np.log(-log_p)))
    p = np.exp(log_p)
    return float(np.log((1 - p + p * log_p) / (p * log_p**2)))


def mean_log_e(log_es: npt.ArrayLike) -> Floats:
    """Return log of the mean of e-values along the first axis, which is an e-value whatever they have in common.

    Source:  Vovk and Wang 2021, as above.
    """
    values = np.asarray(log_es)
    return np.asarray(np.logaddexp.reduce(values, axis=0) - np.log(len(values)))
