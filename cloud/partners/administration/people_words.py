"""Texts of the pages about users, in English and Polish."""

from typing import Final

PEOPLE_WORDS: Final = {
    "users.new": ("New user", "Nowy użytkownik"),
    "users.find": ("Find by name", "Znajdź po nazwie"),
    "users.none": ("No user has this name.", "Nie ma użytkownika o tej nazwie."),
    "users.add": ("Add the user", "Dodaj użytkownika"),
    "user.username": ("User name", "Nazwa użytkownika"),
    "user.username.hint": (
        "As they sign in, for instance their e-mail address.",
        "Jak przy logowaniu, na przykład adres e-mail.",
    ),
    "user.id": ("User id", "Identyfikator"),
    "user.you": ("you", "to Ty"),
    "user.roles": ("Roles", "Role"),
    "user.roles.ask": ("Roles of {username}", "Role użytkownika {username}"),
    "user.roles.save": ("Set these roles", "Ustaw te role"),
    "role.administrator": ("administrator", "administrator"),
    "role.member": ("member", "pracownik"),
    "role.long.administrator": (
        "Administrator: apps, webhooks, users, audit, keys",
        "Administrator: aplikacje, webhooki, użytkownicy, dziennik, klucze",
    ),
    "role.long.member": (
        "Member: works with records and devices",
        "Pracownik: pracuje z dokumentacją i urządzeniami",
    ),
    "user.factor": ("Second step", "Drugi krok"),
    "user.factor.set": ("set up", "skonfigurowany"),
    "user.factor.none": ("not set up", "nieskonfigurowany"),
    "user.recovery": ("Recovery codes left", "Pozostałe kody zapasowe"),
    "user.recovery.own": ("Recovery codes", "Kody zapasowe"),
    "user.factor.reset": ("Reset the second step", "Usuń drugi krok"),
    "user.state": ("State", "Stan"),
    "user.active": ("active", "aktywny"),
    "user.disabled": ("disabled", "wyłączony"),
    "user.disable": ("Disable", "Wyłącz"),
    "user.disable.means": (
        "They are signed out at once and cannot sign in; tokens that act for them stop within a minute.",
        "Osoba zostanie natychmiast wylogowana i nie będzie mogła się zalogować; tokeny działające w jej imieniu "
        "przestaną działać w ciągu minuty.",
    ),
    "user.enable": ("Enable again", "Włącz ponownie"),
    "user.enable.means": (
        "They may sign in again, with the same password.",
        "Będzie można znów się zalogować, tym samym hasłem.",
    ),
    "user.lost": ("Lost password or phone", "Utracone hasło lub telefon"),
    "user.lost.why": (
        "Verify the person first: call back. Either action ends all sessions of the user.",
        "Najpierw potwierdź tożsamość: oddzwoń. Każda z tych czynności kończy wszystkie sesje użytkownika.",
    ),
    "user.password": ("Password", "Hasło"),
    "user.password.new": ("Make a new password", "Utwórz nowe hasło"),
    "user.password.made": (
        "A password is created and shown once. The user changes it after signing in.",
        "Hasło zostanie utworzone i pokazane jeden raz. Po zalogowaniu należy je zmienić.",
    ),
    "user.oneself": ("This is you", "To Ty"),
    "user.oneself.why": (
        "Administrators cannot disable themselves, give up their own role or reset their own second step, so that each "
        "tenant keeps an administrator. Contact another administrator.",
        "Administrator nie może wyłączyć własnego konta, odebrać sobie roli ani usunąć własnego drugiego kroku, żeby "
        "zawsze pozostał co najmniej jeden administrator. Zwróć się do innego administratora.",
    ),
    "user.did": ("Actions of the user", "Działania użytkownika"),
    "user.happened": ("History of the account", "Historia konta"),
    "told.user": ("{name} is added", "Dodano: {name}"),
    "told.password": ("A new password for {name}", "Nowe hasło: {name}"),
    "done.roles_set": ("The roles are set.", "Role zostały ustawione."),
    "done.user_disabled": ("The user is disabled and signed out.", "Użytkownik został wyłączony i wylogowany."),
    "done.user_enabled": ("The user may sign in again.", "Użytkownik może się znów zalogować."),
    "done.factor_reset": (
        "The second step is reset. They set up a new one when they sign in.",
        "Drugi krok został usunięty. Nowy zostanie skonfigurowany przy logowaniu.",
    ),
    "refusal.user_unknown": ("User not found.", "Nie ma takiego użytkownika."),
    "refusal.username_malformed": (
        "A user name has 1 to 254 Latin letters, digits and signs without spaces, for instance an e-mail address.",
        "Nazwa użytkownika ma od 1 do 254 liter łacińskich, cyfr i znaków bez spacji, na przykład adres e-mail.",
    ),
    "refusal.role_unknown": ("Choose at least one role.", "Wybierz co najmniej jedną rolę."),
    "refusal.secrecy_level_exceeded": (
        "You cannot add a user with a higher secrecy level than your own.",
        "Nie można dodać użytkownika o wyższym poziomie poufności niż Twój.",
    ),
    "refusal.not_oneself": (
        "You cannot do this to your own account. Contact another administrator.",
        "Nie można tego zrobić z własnym kontem. Zwróć się do innego administratora.",
    ),
    "refusal.sign_in_busy": (
        "Too many passwords are being checked at this moment; try again in a few seconds.",
        "W tej chwili sprawdzanych jest zbyt wiele haseł; spróbuj ponownie za kilka sekund.",
    ),
}
