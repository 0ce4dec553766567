"""Users and their tokens."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from pigwav.api.body import BODY_ERRORS, request_errors, small_body
from pigwav.api.deps import CallerDep, RatesDep, ServicesDep
from pigwav.api.multipart import text_fields
from pigwav.api.openapi import problems
from pigwav.api.parameters import charset_of
from pigwav.api.routes import ME, MY_TOKEN, USERS
from pigwav.api.schemas import MeOut, TokenOut, UserIn, UserOut
from pigwav.api.text_fields import urlencoded_fields
from pigwav.errors import (
    DatabaseUnavailable,
    InvalidField,
    InvalidRequest,
    MalformedMultipart,
    NameTaken,
    NotAuthenticated,
    Overloaded,
    RegistrationClosed,
    UnsupportedMediaType,
)
from pigwav.settings import Registration

router = APIRouter(tags=["users"])

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_USER_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": UserIn.model_json_schema(), "example": {"name": "testuser"}}
            for kind in ("application/json", _FORM, _MULTIPART)
        },
    }
}


@router.post(
    USERS,
    status_code=201,
    openapi_extra=_USER_BODY,
    responses=problems(
        RegistrationClosed,
        NameTaken,
        InvalidRequest,
        InvalidField,
        MalformedMultipart,
        UnsupportedMediaType,
        *BODY_ERRORS,
        DatabaseUnavailable,
        Overloaded,
    ),
)
async def register(request: Request, response: Response, services: ServicesDep, rates: RatesDep) -> UserOut:
    """Create a user. The answer contains the access token, which is shown only once."""
    if services.settings.registration is Registration.CLOSED:
        raise RegistrationClosed
    rates.registration()
    wanted = await _user_in(request, services)
    response.headers["Cache-Control"] = "no-store"
    return UserOut.of(await services.register_user(wanted.name))


@router.get(ME, responses=problems(NotAuthenticated, DatabaseUnavailable, Overloaded))
async def show_me(caller: CallerDep) -> MeOut:
    """The user that this token belongs to."""
    return MeOut(id=caller.id, name=caller.name)


@router.delete(ME, status_code=204, responses=problems(NotAuthenticated, DatabaseUnavailable, Overloaded))
async def delete_me(caller: CallerDep, services: ServicesDep) -> None:
    """Delete the caller and all their recordings. The token and the links stop working at once."""
    await services.delete_user(caller.id)


@router.post(MY_TOKEN, responses=problems(NotAuthenticated, DatabaseUnavailable, Overloaded))
async def rotate_token(response: Response, caller: CallerDep, services: ServicesDep) -> TokenOut:
    """Replace the caller's token. The old token stops working at once."""
    response.headers["Cache-Control"] = "no-store"
    return TokenOut(token=await services.rotate_token(caller.id))


async def _user_in(request: Request, services: ServicesDep) -> UserIn:
    """Reads JSON, or a form as `curl -d` or `curl -F` sends it."""
    body = await small_body(request, services.settings.limits)
    content_type = request.headers.get("content-type", "application/json")
    kind = content_type.partition(";")[0].strip().lower()
    with request_errors():
        if kind == "application/json":
            return UserIn.model_validate_json(body)
        if kind == _MULTIPART:
            return UserIn.model_validate(text_fields(content_type, body, UserIn.model_fields))
        if kind == _FORM:
            return UserIn.model_validate(
                urlencoded_fields(body, charset_of(content_type), UserIn.model_fields)
            )
    raise UnsupportedMediaType(f"Send application/json, {_FORM} or {_MULTIPART}, not {kind}.")
