"""Which statements end a transaction, by their words alone."""

import pytest

from imp_verify.stores._ending_sql import ends_transaction

ENDINGS = {
    "/* a */ commit": "COMMIT",
    "-- x\nROLLBACK": "ROLLBACK",
    "(;# x\nEnd": "END",
    "start  transaction": "START",
    "/* a /* b */ commit": "COMMIT",
    "/*/ commit */ abort": "ABORT",
}
ON_MYSQL = {
    "/* a */ TRUNCATE x": "TRUNCATE",
    "lock tables x write": "LOCK",
    "SET autocommit = 1": "SET",
    "set @@session.autocommit:=0": "SET",
}
OTHERS = (
    "SELECT 1",
    "rollback to x",
    "ROLLBACK TRANSACTION TO SAVEPOINT x",
    "-- commit",
    "/* commit",
    "/* a */ SELECT '*/ commit'",
    "committed()",
    "SET @a = 1",
    "/* autocommit = 1 */ SET @autocommitted = 1",
    "",
)


@pytest.mark.parametrize("mysql", [False, True])
def test_the_word_is_found_behind_comments_of_all_kinds(mysql: bool) -> None:
    assert {each: ends_transaction(each, mysql=mysql) for each in ENDINGS} == ENDINGS
    assert [ends_transaction(each, mysql=mysql) for each in OTHERS] == [None] * len(OTHERS)


def test_what_commits_by_itself_on_mysql_is_found_there_only() -> None:
    assert {each: ends_transaction(each, mysql=True) for each in ON_MYSQL} == ON_MYSQL
    found = [ends_transaction(each, mysql=False) for each in ON_MYSQL]
    assert found == [None] * len(ON_MYSQL)
    assert ends_transaction("CREATE TEMPORARY TABLE x (y INT)", mysql=True) is None


MANY = 100_000


STATEMENTS = {
    "comments": "/* a */" * MANY + "x",
    "comments in comments": "/*" * MANY + "*/" * MANY,
    "comments that are run": "/*!40000 set x */" * MANY,
    "comments that do not end": "/*!" * MANY,
    "lines": "--\n" * MANY + "--" * MANY,
    "blanks": "(; " * MANY + "rollback" + " " * MANY + "to",
    "words": "set " + "autocommit " * MANY,
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_of_any_size_is_read_to_its_end(name: str) -> None:
    """Twenty-six comments took a minute, and each more twice as long."""
    for mysql in (False, True):
        assert ends_transaction(STATEMENTS[name], mysql=mysql) is None
