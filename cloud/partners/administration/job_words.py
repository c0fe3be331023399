"""Texts of the pages about jobs, in English and Polish."""

from typing import Final

JOB_WORDS: Final = {
    "nav.jobs": ("Jobs", "Zadania"),
    "jobs.none": (
        "There are no jobs here. Apps start them over the API.",
        "Nie ma tu zadań. Aplikacje zlecają je przez API.",
    ),
    "jobs.total": ("Jobs: {count}", "Zadania: {count}"),
    "jobs.all": ("All", "Wszystkie"),
    "job.id": ("Job", "Zadanie"),
    "job.kind": ("Kind", "Rodzaj"),
    "job.status": ("State", "Stan"),
    "job.status.queued": ("queued", "w kolejce"),
    "job.status.running": ("running", "w toku"),
    "job.status.succeeded": ("succeeded", "zakończone"),
    "job.status.failed": ("failed", "niepowodzenie"),
    "job.status.cancelled": ("cancelled", "anulowane"),
    "job.progress": ("Progress", "Postęp"),
    "job.app": ("App", "Aplikacja"),
    "job.by": ("Requested by", "Zlecone przez"),
    "job.level": ("Secrecy level", "Poziom poufności"),
    "job.started": ("Started", "Rozpoczęto"),
    "job.ended": ("Ended", "Zakończono"),
    "job.error": ("Reason of the failure", "Przyczyna niepowodzenia"),
    "job.error.retryable": ("A new job may succeed.", "Nowe zadanie może się powieść."),
    "job.result": ("Result", "Wynik"),
    "job.result.until": ("kept until", "przechowywany do"),
    "job.result.gone": ("deleted when its retention ended", "usunięty po upływie okresu przechowywania"),
    "job.callback": ("Call-back", "Wywołanie zwrotne"),
    "job.trail": ("History", "Historia"),
    "job.cancel": ("Cancel the job", "Anuluj zadanie"),
    "job.cancel.means": (
        "It stops and cannot be continued. The app is notified.",
        "Zostanie zatrzymane i nie można go wznowić. Aplikacja otrzyma powiadomienie.",
    ),
    "done.job_cancelled": ("The job is cancelled.", "Zadanie zostało anulowane."),
    "refusal.job_not_cancellable": (
        "The job has ended and cannot be cancelled.",
        "Zadanie zostało już zakończone i nie można go anulować.",
    ),
    "refusal.job_unknown": ("Job not found.", "Nie znaleziono zadania."),
}
