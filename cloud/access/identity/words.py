"""Texts of the sign-in pages, in English and Polish."""

from typing import Final

WORDS: Final = {
    "sign_in.title": ("Sign in", "Zaloguj się"),
    "sign_in.username": ("User name", "Nazwa użytkownika"),
    "sign_in.password": ("Password", "Hasło"),
    "sign_in.button": ("Sign in", "Zaloguj się"),
    "sign_in.refused": ("The user name or the password is wrong.", "Nazwa użytkownika lub hasło są nieprawidłowe."),
    "sign_in.throttled": (
        "Too many attempts failed. Try again in {wait_s} seconds.",
        "Zbyt wiele nieudanych prób. Spróbuj ponownie za {wait_s} s.",
    ),
    "sign_in.busy": (
        "Too many people are signing in. Try again in a few seconds.",
        "W tej chwili loguje się zbyt wiele osób. Spróbuj ponownie za kilka sekund.",
    ),
    "sign_in.lost": (
        "If you have lost your password, contact your administrator.",
        "Jeśli nie pamiętasz hasła, zwróć się do administratora.",
    ),
    "signed_in.title": ("Signed in", "Zalogowano"),
    "signed_in.as": ("Signed in as {username}.", "Zalogowano jako {username}."),
    "signed_in.out": ("Sign out", "Wyloguj się"),
    "signed_in.administer": ("Administer Argus", "Administracja Argus"),
    "signed_in.password": ("Change your password", "Zmień hasło"),
    "password.title": ("Change your password", "Zmień hasło"),
    "password.present": ("Current password", "Obecne hasło"),
    "password.wanted": ("New password", "Nowe hasło"),
    "password.hint": (
        "12 to 256 characters. A sentence is easy to remember.",
        "Od 12 do 256 znaków. Całe zdanie łatwo zapamiętać.",
    ),
    "password.again": ("Repeat the new password", "Powtórz nowe hasło"),
    "password.button": ("Change", "Zmień"),
    "password.back": ("Back", "Wróć"),
    "password.refused": ("The current password is wrong.", "Obecne hasło jest nieprawidłowe."),
    "password.unfit": ("A password has 12 to 256 characters.", "Hasło ma od 12 do 256 znaków."),
    "password.unlike": ("The two new passwords are not the same.", "Nowe hasła nie są jednakowe."),
    "password.done": (
        "Your password is changed, and you are signed out everywhere else.",
        "Hasło zostało zmienione; we wszystkich innych miejscach nastąpiło wylogowanie.",
    ),
    "signed_out.title": ("You are signed out", "Wylogowano"),
    "signed_out.again": ("Sign in again", "Zaloguj się ponownie"),
    "code.title": ("Second step", "Drugi krok"),
    "code.label": ("Six digits from your authenticator app", "Sześć cyfr z aplikacji uwierzytelniającej"),
    "code.button": ("Continue", "Dalej"),
    "code.refused": (
        "The code is wrong, expired or already used. Enter another code.",
        "Ten kod jest nieprawidłowy, nieaktualny albo został już użyty. Wpisz inny kod.",
    ),
    "code.lost": (
        "If you have neither your phone nor a recovery code, contact your administrator.",
        "Jeśli nie masz telefonu ani kodu zapasowego, zwróć się do administratora.",
    ),
    "code.recovery": ("Use a recovery code", "Użyj kodu zapasowego"),
    "code.recovery.label": ("Recovery code", "Kod zapasowy"),
    "code.recovery.hint": (
        "16 letters and digits. Spaces, hyphens and case do not matter.",
        "16 liter i cyfr. Odstępy, łączniki i wielkość liter nie mają znaczenia.",
    ),
    "code.digits": ("Use the authenticator app", "Użyj aplikacji uwierzytelniającej"),
    "recovery.title": ("Recovery codes", "Kody zapasowe"),
    "recovery.new.title": ("Your recovery codes", "Twoje kody zapasowe"),
    "recovery.once": ("Copy these now: they are shown only once.", "Skopiuj je teraz: są widoczne tylko jeden raz."),
    "recovery.why": (
        "If you lose your phone, enter one of them in place of the six digits. Each code works once. Keep them apart "
        "from the phone, for instance in a password manager or on paper.",
        "Jeśli stracisz telefon, wpisz jeden z nich zamiast sześciu cyfr. Każdy kod działa tylko raz. Przechowuj je "
        "osobno od telefonu, na przykład w menedżerze haseł albo na papierze.",
    ),
    "recovery.kept": ("I have saved them", "Mam zapisane"),
    "recovery.left": ("Recovery codes left: {count}", "Pozostałe kody zapasowe: {count}"),
    "recovery.replace": (
        "You can create ten new codes here. The earlier codes then stop working.",
        "Tutaj możesz utworzyć dziesięć nowych kodów. Poprzednie przestaną wtedy działać.",
    ),
    "recovery.label": (
        "Six digits from your authenticator app, or a recovery code",
        "Sześć cyfr z aplikacji uwierzytelniającej albo kod zapasowy",
    ),
    "authenticator.title": ("New authenticator app", "Nowa aplikacja uwierzytelniająca"),
    "authenticator.why": (
        "Scan this QR code with the new app. The app that you have used and your recovery codes then stop working; you "
        "receive new codes.",
        "Zeskanuj ten obraz nową aplikacją. Dotychczasowa aplikacja i kody zapasowe przestaną wtedy działać; otrzymasz "
        "nowe kody.",
    ),
    "authenticator.current": (
        "Six digits from the app that you have used, or a recovery code",
        "Sześć cyfr z dotychczasowej aplikacji albo kod zapasowy",
    ),
    "authenticator.code": ("Six digits from the new app", "Sześć cyfr z nowej aplikacji"),
    "authenticator.link": ("Set up a new authenticator app", "Skonfiguruj nową aplikację uwierzytelniającą"),
    "recovery.button": ("Create new codes", "Utwórz nowe kody"),
    "set_up.title": ("Set up your second step", "Skonfiguruj drugi krok"),
    "set_up.why": (
        "Your account needs a second step. Scan this QR code with an authenticator app, then enter the code that it "
        "shows.",
        "To konto wymaga drugiego kroku. Zeskanuj obraz aplikacją uwierzytelniającą, a potem wpisz kod, który pokaże.",
    ),
    "set_up.picture": ("QR code for an authenticator app", "Kod QR dla aplikacji uwierzytelniającej"),
    "set_up.open": (
        "Open in an authenticator app on this device",
        "Otwórz w aplikacji uwierzytelniającej na tym urządzeniu",
    ),
    "set_up.by_hand": ("Or enter this key in the app:", "Możesz też wpisać ten klucz w aplikacji ręcznie:"),
}
