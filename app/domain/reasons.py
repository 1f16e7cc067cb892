"""Why something did not go well: a closed list of words, each with what a person needs to know.

Four sentences for each: what happened, what it means for today's patients, who can fix it, what to press.
Logs and metrics carry the word, pages and the command line the sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """The one thing to press."""

    WAIT = "wait"
    SYNC_NOW = "sync_now"
    PAIR_AGAIN = "pair_again"
    CREDENTIALS = "credentials"
    TEST = "test"
    READ_HISTORY = "history"
    SEE_RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Explanation:
    happened: str
    means: str
    who: str
    action: Action
    heals_itself: bool = False

    @property
    def sentence(self) -> str:
        return f"{self.happened} {self.means} {self.who}"


_KEPT = "The sheet keeps the last rows it got and shows their age; check {pms} itself before relying on them."
_SELF = "It heals itself: the next sync tries again."
_ADMIN = "An admin of this practice can fix it."
_OPERATOR = "Whoever runs this Runsheet can fix it."


def _passing(happened: str) -> Explanation:
    return Explanation(happened, _KEPT, _SELF, Action.SYNC_NOW, heals_itself=True)


EXPLANATIONS: dict[str, Explanation] = {
    # --- nobody answered --------------------------------------------------------------------------------------------
    "dns": _passing("The address of {pms} could not be found."),
    "connect": _passing("{pms} could not be reached."),
    "deadline": _passing("{pms} answered too slowly."),
    "interrupted": _passing("{pms} broke off in the middle of an answer."),
    "server_error": _passing("{pms} reported a fault of its own."),
    "unavailable": _passing("{pms} did not answer."),
    "given_up": _passing("{pms} failed so often that we stopped asking for the moment."),
    "rate_limited": Explanation(
        "{pms} asked us to slow down.",
        _KEPT,
        "It heals itself: the sync goes on when the pause is over.",
        Action.WAIT,
        heals_itself=True,
    ),
    "day_used_up": Explanation(
        "The calls to {pms} that are set for 24 hours are used up; {pms} itself refused nothing.",
        "Until some are free again nothing new of today's patients is read by itself: the sheet keeps the last rows "
        "and shows their age. Sync now may still work, a fifth is kept for it; else check {pms} itself.",
        "It goes on by itself as those calls come to lie a day back; the connection's page says when. An admin can "
        "have it read less often there; whoever runs this Runsheet can set more calls, where {pms} grants them.",
        Action.SYNC_NOW,
        heals_itself=True,
    ),
    "storage": Explanation(
        "The database could not take the rows.", _KEPT, _OPERATOR, Action.READ_HISTORY, heals_itself=True
    ),
    "memory_page": Explanation(
        "There was not enough memory for one page of {pms}'s answer.",
        _KEPT,
        "It is tried once more, with pages half as large.",
        Action.WAIT,
        heals_itself=True,
    ),
    "memory": Explanation(
        "There was not enough memory for the sync, and smaller pages did not help.",
        _KEPT,
        _OPERATOR,
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "timeout": _passing("The sync used up its time; it goes on where it stopped."),
    "lost": _passing("The process that ran the sync disappeared."),
    "fenced": _passing("Another worker took the sync over."),
    "stopped": _passing("The sync was stopped because its worker was shut down."),
    # --- files that are left for us ---------------------------------------------------------------------------------
    "no_drop": Explanation(
        "No complete file of {pms} was found in its drop folder.",
        _KEPT,
        "Whoever set the export up can fix it: a file counts once its manifest lies beside it and agrees with it.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "stale_drop": Explanation(
        "The newest file that {pms} left in its drop folder is too old to be believed.",
        _KEPT,
        "Whoever set the export up can fix it: see whether it still runs and reaches the folder.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "drop_gap": Explanation(
        "No file in the drop folder of {pms} covers some of the days that were asked for.",
        "Those days show what was last read of them, with its age; days that are covered are fresh.",
        "Whoever set the export up can have it cover a week back and two weeks ahead.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "second_drop": Explanation(
        "Appointments are missing from the newest file of {pms}, and no second file confirms it yet.",
        "They stay on the sheet until another complete file lacks them as well.",
        _SELF,
        Action.WAIT,
        heals_itself=True,
    ),
    "stale_bridge": Explanation(
        "The bridge to {pms} answers, but has told nothing new for a long time.",
        "Appointments that were deleted there may still stand on the sheet; check {pms} itself.",
        "Somebody at the practice can see whether the bridge's agent still runs on the server.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    # --- a person has to do something -------------------------------------------------------------------------------
    "auth_failed": Explanation(
        "{pms} refuses our credentials.",
        _KEPT,
        "Whoever runs this Runsheet must check the client id and secret; syncing stopped so that nothing is locked.",
        Action.TEST,
    ),
    "forbidden": Explanation(
        "{pms} no longer lets us read this practice.",
        _KEPT,
        "An admin must allow the app in {pms} again, then pair again here; mappings and history stay.",
        Action.PAIR_AGAIN,
    ),
    "second_factor": Explanation(
        "{pms} asks for a second factor at log-in, and nobody is there to give it.",
        _KEPT,
        "An admin can make a user for this Runsheet in {pms} that needs none, or paste the cookies of a browser that "
        "is logged in; either is entered on the connection's page.",
        Action.CREDENTIALS,
    ),
    "no_browser": Explanation(
        "The browser that logs in to {pms} is not installed here.",
        _KEPT,
        "Whoever runs this Runsheet can install it, or an admin choose another way to log in on the connection's page.",
        Action.TEST,
    ),
    "not_provisioned": Explanation(
        "{pms} has not finished setting our app up.",
        "No appointment can be read until it has.",
        "Only the vendor can fix it: ask its partner support to finish the provisioning.",
        Action.TEST,
    ),
    "not_configured": Explanation(
        "This Runsheet has no credentials for {pms}.",
        "No appointment can be read until it has.",
        _OPERATOR,
        Action.TEST,
    ),
    "secrets": Explanation(
        "The secrets stored here for {pms} cannot be decrypted: the key was changed, or the database altered.",
        _KEPT,
        "Whoever runs this Runsheet must put the earlier key back (ENCRYPTION_KEY, or beside a new one in "
        "OLD_ENCRYPTION_KEYS). If it is lost, a test lets {pms} issue new ones.",
        Action.TEST,
    ),
    "not_paired": Explanation(
        "{pms} is not paired yet.", "No appointment can be read until it is.", _ADMIN, Action.PAIR_AGAIN
    ),
    "tls": Explanation(
        "{pms} could not prove who it is (its certificate is not valid).",
        _KEPT,
        "The vendor, or whoever runs the network in between, must fix it; we do not go on without proof.",
        Action.TEST,
    ),
    "redirect": Explanation("{pms} sent us to another address, and we did not follow.", _KEPT, _OPERATOR, Action.TEST),
    "address": Explanation("The address set for {pms} is not one we may speak to.", _KEPT, _OPERATOR, Action.TEST),
    "too_large": Explanation("{pms} sent a page larger than we accept.", _KEPT, _OPERATOR, Action.READ_HISTORY),
    # --- the answer could not be used -------------------------------------------------------------------------------
    "bad_envelope": _passing("{pms} answered with something that is not a list of appointments."),
    "empty_body": _passing("{pms} answered with nothing at all."),
    "depth": _passing("{pms} answered with data nested deeper than we accept."),
    "encoding": _passing("{pms} answered with text that cannot be read."),
    "cursor_loop": _passing("{pms} sent us round in a circle of pages."),
    "page_budget": _passing("{pms} had more pages than one sync reads; the next one goes on."),
    "refused": Explanation("{pms} refused a request as wrong.", _KEPT, _OPERATOR, Action.READ_HISTORY),
    "not_found": Explanation(
        "{pms} has nothing under the address we asked for.",
        _KEPT,
        "A practitioner or a practice may be gone there; or the address set for {pms} is wrong, and whoever runs this "
        "Runsheet can fix it.",
        Action.READ_HISTORY,
    ),
    "moved_on": Explanation(
        "In {pms} the visit has been called off, or is over.",
        "It was not told what reception said here; the row shows both.",
        "Whoever keeps the book in {pms} can change it there.",
        Action.READ_HISTORY,
    ),
    "several_patients": Explanation(
        "Several patients share that visit in {pms}, which is told of each by itself.",
        "It was not told what reception said here; the row shows both.",
        "Whoever keeps the book in {pms} can mark each patient there.",
        Action.READ_HISTORY,
    ),
    "no_word": Explanation(
        "This practice's {pms} has no word for that status.",
        "It was not told what reception said here; the row shows both.",
        "An admin can stop telling that status on the connection's page, or add such a word in {pms}.",
        Action.READ_HISTORY,
    ),
    "code_refused": Explanation(
        "{pms} did not accept the pairing code.",
        "Nothing was connected and nothing was changed.",
        "Codes work once and expire: get a new one from the app's page in {pms} and enter it here.",
        Action.PAIR_AGAIN,
    ),
    "code_maybe_used": Explanation(
        "{pms}'s answer to the pairing code was lost.",
        "The code may be used up; nothing was connected here.",
        "Get a new code from the app's page in {pms} and enter it here.",
        Action.PAIR_AGAIN,
    ),
    "credentials_refused": Explanation(
        "{pms} did not accept these credentials.",
        "Nothing was connected and nothing was changed.",
        "Compare each with what {pms} shows. Where they are right, see in {pms} that they may read the practice.",
        Action.CREDENTIALS,
    ),
    # --- partly -----------------------------------------------------------------------------------------------------
    "quarantined": Explanation(
        "Some records from {pms} could not be read and were set aside.",
        "Those appointments may be missing or old on the sheet; all others are fresh.",
        "An admin can see which, have them tried again, or settle them.",
        Action.SEE_RECORDS,
    ),
    "some_failed": Explanation(
        "Part of {pms} could be read and part could not.",
        "Groups that were not read show their age; others are fresh.",
        _SELF,
        Action.SYNC_NOW,
        heals_itself=True,
    ),
    "removal_held": Explanation(
        "Many appointments of one day are no longer in {pms}.",
        "They stay on the sheet until somebody looks: {pms} may have lost them for a moment, or the day was cancelled.",
        "An admin can remove them or keep them; if {pms} brings them back, it settles itself.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "sweep_incomplete": Explanation(
        "Not all of {pms} could be read, so nobody was looked for who may be missing.",
        "Appointments that were deleted there may still stand on the sheet.",
        _SELF,
        Action.SYNC_NOW,
        heals_itself=True,
    ),
    "parts_missing": Explanation(
        "{pms} did not let us read every part of a consultation.",
        "What was read is kept with its case; the rest is asked for again.",
        "If it stays so, an admin must allow the app in {pms} to read those parts.",
        Action.READ_HISTORY,
        heals_itself=True,
    ),
    "unknown_status": Explanation(
        "{pms} used a status word we do not know.",
        "Those rows show the word as it is; they are not counted as booked.",
        _ADMIN,
        Action.READ_HISTORY,
    ),
    "cancelled": Explanation("Somebody stopped this sync.", _KEPT, _SELF, Action.SYNC_NOW, heals_itself=True),
    "bug": Explanation(
        "Runsheet itself made a mistake during the sync.",
        _KEPT,
        "Whoever runs this Runsheet finds it in the log under the sync's id.",
        Action.SYNC_NOW,
        heals_itself=True,
    ),
}


_NEW_ONES = "An admin of this practice can enter new ones on the connection's page"

#: The same reasons where the practice typed its credentials itself: others can mend it, elsewhere.
TYPED: dict[str, Explanation] = {
    "auth_failed": Explanation(
        "{pms} refuses this practice's credentials.",
        _KEPT,
        f"{_NEW_ONES}; syncing stopped so that nothing is locked.",
        Action.CREDENTIALS,
    ),
    "forbidden": Explanation(
        "{pms} no longer lets us read this practice.",
        _KEPT,
        "An admin must allow it in {pms} again, or enter other credentials on the connection's page; mappings and "
        "history stay.",
        Action.CREDENTIALS,
    ),
    "secrets": Explanation(
        "The credentials stored here for {pms} cannot be decrypted: the key was changed, or the database altered.",
        _KEPT,
        "Whoever runs this Runsheet must put the earlier key back (ENCRYPTION_KEY, or beside a new one in "
        f"OLD_ENCRYPTION_KEYS). If it is lost: {_NEW_ONES[0].lower()}{_NEW_ONES[1:]}.",
        Action.CREDENTIALS,
    ),
    "not_paired": Explanation(
        "{pms} is not connected yet, or some of its credentials are missing here.",
        "No appointment can be read until they are entered.",
        f"{_NEW_ONES}.",
        Action.CREDENTIALS,
    ),
}


def explain(reason: str | None, pms: str, *, typed: bool = False) -> Explanation:
    """The sentences for a reason, with the vendor's name in place. An unlisted word is told as an outage.

    typed: the practice connects with credentials of its own, not with those of this Runsheet's operator.
    """
    found = EXPLANATIONS.get(reason or "", EXPLANATIONS["unavailable"])
    if typed:
        found = TYPED.get(reason or "", found)
    return Explanation(
        found.happened.format(pms=pms),
        found.means.format(pms=pms),
        found.who.format(pms=pms),
        found.action,
        found.heals_itself,
    )
