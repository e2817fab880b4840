"""The instructor's commands: `lessons course init`, `lessons grade 07` and others."""

from __future__ import annotations

import argparse
import collections
import sys
from collections.abc import Callable
from pathlib import Path

EXAMPLES = {
    "course init": "lessons course init dl-2027",
    "release": """lessons release 07
  lessons release 07 --students class.csv --variants
  lessons release 07 --due "2027-02-01 23:59 UTC\"""",
    "collect": """lessons collect canvas-export.zip
  lessons collect moodle.zip late/ --assignment 07""",
    "grade": "lessons grade 07 --jobs 2",
    "feedback": "lessons feedback 07",
    "grades": """lessons grades --csv > marks.csv
  lessons grades --csv canvas --assignment 07""",
    "forget": "lessons forget lovelace",
    "new-exercise": "lessons new-exercise 03.momentum --kind Implement --points 3",
}


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and do what it says; 0 if all went well."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print(
            "\nlessons: stopped. The same command goes on from here.", file=sys.stderr
        )
        return 130
    except Exception as error:
        if not isinstance(error, expected()):
            raise
        print(f"lessons: {error}", file=sys.stderr)
        return 1


def expected() -> tuple[type[Exception], ...]:
    """Return the errors whose message says enough; the others are mistakes of ours."""
    from lessons.exercises.plain import AnswerError

    return ValueError, OSError, RuntimeError, AnswerError


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="lessons", description="Assign, collect and grade the course's exercises."
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    course = commands.add_parser("course", help="make a course's folder")
    kinds = course.add_subparsers(metavar="init", required=True)
    add_init(command(kinds, "init", init, "make a course's folder", "course init"))
    add_release(command(commands, "release", release, "make what students get"))
    add_collect(command(commands, "collect", collect, "take in what students sent"))
    add_grade(command(commands, "grade", grade, "mark submissions in the sandbox"))
    add_grade(command(commands, "feedback", feedback, "write the students' pages"))
    add_grades(command(commands, "grades", grades, "print the marks"))
    forgotten = command(
        commands, "forget", forget, "delete all that is kept of a student"
    )
    add_course(forgotten).add_argument("student", help="the student's id")
    add_new(command(commands, "new-exercise", new_exercise, "begin an exercise"))
    return top


def command(
    commands, name: str, run: Callable, help: str, example: str = ""
) -> argparse.ArgumentParser:
    """Add a command with its example."""
    made = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"examples:\n  {EXAMPLES[example or name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    return made


def add_course(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Let a command work in another folder."""
    made.add_argument(
        "--course", type=Path, default=Path(), help="the course's folder (here)"
    )
    return made


def add_init(made: argparse.ArgumentParser) -> None:
    """Add the options of `course init`."""
    made.add_argument("folder", type=Path, help="the folder to make")
    made.add_argument("--id", help="the course's name (the folder's)")
    made.add_argument("--sources", type=Path, help="the folder notebooks/exercises")


def add_release(made: argparse.ArgumentParser) -> None:
    """Add the options of `release`."""
    add_course(made).add_argument("assignment", help="such as 07")
    made.add_argument("--students", type=Path, help="the class: a CSV with a column id")
    made.add_argument(
        "--variants", action="store_true", help="a copy with own numbers for each"
    )
    made.add_argument("--due", help='such as "2027-02-01 23:59 UTC"')


def add_collect(made: argparse.ArgumentParser) -> None:
    """Add the options of `collect`."""
    add_course(made).add_argument("files", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--assignment", default="", help="by default the files say it")
    made.add_argument("--students", type=Path, help="the class: a CSV with a column id")


def add_grade(made: argparse.ArgumentParser) -> None:
    """Add the options of `grade` and `feedback`."""
    add_course(made).add_argument("assignment", help="such as 07")
    made.add_argument("--jobs", type=int, default=2, help="at the same time (2)")
    made.add_argument(
        "--trust", action="store_true", help="run student code WITHOUT a sandbox"
    )


def add_grades(made: argparse.ArgumentParser) -> None:
    """Add the options of `grades`."""
    from lessons.grading.export import FORMS

    add_course(made).add_argument(
        "--csv",
        nargs="?",
        const="plain",
        default="plain",
        choices=FORMS,
        help="columns",
    )
    made.add_argument("--assignment", help="only this one")


def add_new(made: argparse.ArgumentParser) -> None:
    """Add the options of `new-exercise`."""
    from lessons.grading.cells import KINDS, LEVELS

    made.add_argument("id", help="chapter and word, such as 03.momentum")
    made.add_argument("--kind", choices=KINDS, default="Implement")
    made.add_argument("--level", choices=LEVELS, default="medium")
    made.add_argument("--minutes", type=int, default=10)
    made.add_argument("--points", type=int, default=2)
    made.add_argument("--sources", type=Path, help="the folder notebooks/exercises")


def init(options: argparse.Namespace) -> int:
    """Make a course's folder."""
    from lessons.grading import course

    made = course.init(
        options.folder, options.id or options.folder.resolve().name, options.sources
    )
    found = sorted(path.name for path in (made.root / "source").iterdir())
    print(
        f"The course {made.id} is in {options.folder}: assignments {', '.join(found)}."
    )
    print(f"Next: cd {options.folder} && lessons release {found[0]}")
    return 0


def release(options: argparse.Namespace) -> int:
    """Make what students get."""
    from lessons.grading import course, roster

    here = course.load(options.course)
    if options.students:
        roster.take_list(here, options.students)
    made = course.release(here, options.assignment, options.due)
    print(f"For students: {made.relative_to(here.root)}")
    if options.variants:
        ids = [student.id for student in roster.listed(here)]
        if not ids:
            raise course.CourseError("expected --students FILE beside --variants")
        folder = course.release_variants(here, options.assignment, ids)
        print(f"One copy each for {len(ids)}: {folder.relative_to(here.root)}")
    return 0


def collect(options: argparse.Namespace) -> int:
    """Take in what students sent, and report on every file."""
    from lessons.grading import course, intake, roster

    here = course.load(options.course)
    if options.students:
        roster.take_list(here, options.students)
    lines = intake.collect(here, options.files, options.assignment)
    for line in lines:
        who = f" [{line.student}]" if line.student else ""
        print(f"{line.came}{who}: {line.said}")
    counts = collections.Counter(
        line.said.split(":")[0].split(";")[0] for line in lines
    )
    print("; ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "0")
    open_ends = sum(counts[what] for what in ("refused", "not matched"))
    return int(open_ends > 0)


def grade(options: argparse.Namespace) -> int:
    """Mark submissions, and say who got what."""
    from tqdm import tqdm

    from lessons.grading import course, gradebook
    from lessons.grading import grade as grading

    here = course.load(options.course)
    total = len(here.students(options.assignment))
    with tqdm(total=total, unit="submission", disable=None) as bar:
        done = grading.grade(
            here,
            options.assignment,
            options.jobs,
            options.trust,
            lambda student: bar.update(),
        )
    for row in gradebook.scores(here, options.assignment):
        waiting = "  (answers in words wait for you)" if row["waiting"] else ""
        print(f"{row['student']:<24}{row['score']:g} of {row['max_score']:g}{waiting}")
    return told(done.refused, "not graded")


def told(refused: dict[str, str], what: str) -> int:
    """Print who has nothing and why; 1 if there is anybody."""
    for student, why in refused.items():
        print(f"{student:<24}{what}: {why}")
    return int(bool(refused))


def feedback(options: argparse.Namespace) -> int:
    """Write the students' pages."""
    from tqdm import tqdm

    from lessons.grading import course
    from lessons.grading import feedback as pages

    here = course.load(options.course)
    with tqdm(unit="page", disable=None) as bar:
        done = pages.feedback(
            here,
            options.assignment,
            options.jobs,
            options.trust,
            lambda student: bar.update(),
        )
    print(f"{len(done.made)} pages in feedback/")
    return told(done.refused, "no page")


def grades(options: argparse.Namespace) -> int:
    """Print the marks as CSV."""
    from lessons.grading import course, export

    here = course.load(options.course)
    if options.assignment:
        here.source(options.assignment)
    print(export.grades(here, options.csv, options.assignment), end="")
    return 0


def forget(options: argparse.Namespace) -> int:
    """Delete a student's files and marks."""
    from lessons.grading import course
    from lessons.grading import forget as forgetting

    count = forgetting.forget(course.load(options.course), options.student)
    print(f"{options.student}: deleted in {count} places, the marks and the list too.")
    print("Copies that you made, such as exports and backups, are not touched.")
    return 0


def new_exercise(options: argparse.Namespace) -> int:
    """Begin an exercise: its cells, its checks and its table of answers."""
    from lessons.grading import course, template

    folder = options.sources or course.exercises_folder()
    for path in template.begin(folder, options):
        print(f"Now fill in: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
